/* ip.c - addresses and networks. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

#define V4_BYTES 4
#define V6_BYTES 16
#define PREFIX_BYTES 12 /* of IPv4 inside IPv6 */

static const uint8_t mapped_prefix[PREFIX_BYTES] = {0, 0, 0, 0, 0,    0,
                                                    0, 0, 0, 0, 0xff, 0xff};
static const uint8_t nat64_prefix[PREFIX_BYTES] = {0, 0x64, 0xff, 0x9b, 0, 0,
                                                   0, 0,    0,    0,    0, 0};

static bool holds_v4(const uint8_t bytes[V6_BYTES])
{
    return memcmp(bytes, mapped_prefix, PREFIX_BYTES) == 0 ||
           memcmp(bytes, nat64_prefix, PREFIX_BYTES) == 0;
}

static void set(struct lb_ip *ip, const void *bytes, uint8_t len)
{
    memset(ip, 0, sizeof(*ip));
    ip->len = len;
    memcpy(ip->bytes, bytes, len);
}

static void unwrap(struct lb_ip *ip)
{
    uint8_t v4[V4_BYTES];

    if (ip->len == V6_BYTES && holds_v4(ip->bytes)) {
        memcpy(v4, ip->bytes + PREFIX_BYTES, V4_BYTES);
        set(ip, v4, V4_BYTES);
    }
}

/* As it stands there, IPv4 inside IPv6 as IPv6. */
static bool parse_plain(const char *text, struct lb_ip *ip_out)
{
    uint8_t bytes[V6_BYTES];

    memset(ip_out, 0, sizeof(*ip_out));
    if (inet_pton(AF_INET, text, bytes) == 1) {
        set(ip_out, bytes, V4_BYTES);
    } else if (inet_pton(AF_INET6, text, bytes) == 1) {
        set(ip_out, bytes, V6_BYTES);
    }
    return ip_out->len != 0;
}

bool lb_ip_parse(const char *text, struct lb_ip *ip_out)
{
    bool is_read = parse_plain(text, ip_out);

    unwrap(ip_out);
    return is_read;
}

bool lb_ip_from(const struct sockaddr *address, struct lb_ip *ip_out)
{
    memset(ip_out, 0, sizeof(*ip_out));
    if (address->sa_family == AF_INET) {
        set(ip_out, &((const struct sockaddr_in *)address)->sin_addr, V4_BYTES);
    } else if (address->sa_family == AF_INET6) {
        set(ip_out, &((const struct sockaddr_in6 *)address)->sin6_addr,
            V6_BYTES);
    }
    unwrap(ip_out);
    return ip_out->len != 0;
}

void lb_ip_to(const struct lb_ip *ip, struct sockaddr_storage *address_out)
{
    memset(address_out, 0, sizeof(*address_out));
    if (ip->len == V4_BYTES) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)address_out;

        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, ip->bytes, V4_BYTES);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address_out;

        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, ip->bytes, V6_BYTES);
    }
}

/* Digits alone: a sign or a space would pass the common parser. */
static bool parse_bits(const char *text, long long *bits_out)
{
    return lb_text_is_made_of(text, "0-9", 3) && lb_text_to_int(text, bits_out);
}

bool lb_ip_parse_range(const char *text, struct lb_ip_range *range_out)
{
    const char *slash = strchr(text, '/');
    size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
    char address[INET6_ADDRSTRLEN];
    struct lb_ip ip;
    long long bits;

    if (len >= sizeof(address)) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    if (!parse_plain(address, &ip)) {
        return false;
    }
    bits = (long long)ip.len * 8;
    if (slash != NULL &&
        (!parse_bits(slash + 1, &bits) || bits > (long long)ip.len * 8)) {
        return false;
    }
    range_out->first = ip;
    range_out->last = ip;
    for (int i = 0; i < ip.len; i++, bits -= 8) {
        uint8_t kept = bits >= 8   ? 0xff
                       : bits <= 0 ? 0
                                   : (uint8_t)(0xff00 >> bits & 0xff);

        range_out->first.bytes[i] &= kept;
        range_out->last.bytes[i] |= (uint8_t)~kept;
    }
    if (holds_v4(range_out->first.bytes) && holds_v4(range_out->last.bytes)) {
        unwrap(&range_out->first);
        unwrap(&range_out->last);
    }
    return true;
}

int lb_ip_compare(const struct lb_ip *a, const struct lb_ip *b)
{
    return a->len != b->len ? (int)a->len - (int)b->len
                            : memcmp(a->bytes, b->bytes, a->len);
}

bool lb_ip_is_within(const struct lb_ip *ip, const struct lb_ip_range *range)
{
    return ip->len == range->first.len &&
           lb_ip_compare(&range->first, ip) <= 0 &&
           lb_ip_compare(ip, &range->last) <= 0;
}
