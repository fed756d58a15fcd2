/* address.c - where messages may go. */
#include "alerts/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const refused_v4[] = {
    "0.0.0.0/8",      "10.0.0.0/8",     "100.64.0.0/10",   "127.0.0.0/8",
    "169.254.0.0/16", "172.16.0.0/12",  "192.0.0.0/24",    "192.0.2.0/24",
    "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",   "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/3",    "168.63.129.16/32"};
static const char *const refused_v6[] = {"2001::/23", "2001:db8::/32",
                                         "3fff::/20"};

/* The bytes of an address and how many; IPv4 inside IPv6 comes out as IPv4. */
static size_t bytes_of(const struct sockaddr *address, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0,    0,
                                       0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};

    if (address->sa_family == AF_INET) {
        memcpy(out, &((const struct sockaddr_in *)address)->sin_addr, 4);
        return 4;
    }
    if (address->sa_family != AF_INET6) {
        return 0;
    }
    memcpy(out, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    if (memcmp(out, mapped, 12) == 0 || memcmp(out, nat64, 12) == 0) {
        memmove(out, out + 12, 4);
        return 4;
    }
    if (out[0] == 0x20 && out[1] == 0x02) {
        memmove(out, out + 2, 4);
        return 4;
    }
    return 16;
}

static bool is_in(const uint8_t *bytes, size_t len, const char *network)
{
    char text[64];
    uint8_t base[16];
    const char *slash = strchr(network, '/');
    size_t text_len =
        slash == NULL ? strlen(network) : (size_t)(slash - network);
    size_t base_len;
    long bits;

    if (text_len >= sizeof(text)) {
        return false;
    }
    memcpy(text, network, text_len);
    text[text_len] = '\0';
    base_len = strchr(text, ':') == NULL ? 4 : 16;
    if (base_len != len ||
        inet_pton(base_len == 4 ? AF_INET : AF_INET6, text, base) != 1) {
        return false;
    }
    bits = slash == NULL ? (long)len * 8 : strtol(slash + 1, NULL, 10);
    for (size_t i = 0; i < len && bits > 0; i++, bits -= 8) {
        uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(0xff << (8 - bits));

        if ((bytes[i] & mask) != (base[i] & mask)) {
            return false;
        }
    }
    return true;
}

bool address_is_in(const struct sockaddr *address,
                   const char *const *networks,
                   size_t count)
{
    uint8_t bytes[16];
    size_t len = bytes_of(address, bytes);

    for (size_t i = 0; i < count; i++) {
        if (is_in(bytes, len, networks[i])) {
            return true;
        }
    }
    return false;
}

bool address_is_refused(const struct sockaddr *address)
{
    uint8_t bytes[16];
    size_t len = bytes_of(address, bytes);

    if (len == 4) {
        return address_is_in(address, refused_v4,
                             sizeof(refused_v4) / sizeof(refused_v4[0]));
    }
    return len != 16 || (bytes[0] & 0xe0) != 0x20 ||
           address_is_in(address, refused_v6,
                         sizeof(refused_v6) / sizeof(refused_v6[0]));
}

bool address_may_be_called(const struct address_list *list,
                           const struct sockaddr *address,
                           bool is_plain,
                           bool *is_listed_out)
{
    *is_listed_out = address_is_in(address, (const char *const *)list->networks,
                                   list->count);
    return *is_listed_out || (!is_plain && !address_is_refused(address));
}

void address_list_copy(struct address_list *list,
                       const struct lb_config_list *from)
{
    list->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        char *copy = strdup(from->values[i]);

        if (copy != NULL) { /* one that is missing allows less */
            list->networks[list->count++] = copy;
        }
    }
}

void address_list_deinit(struct address_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->networks[i]);
    }
    list->count = 0;
}
