/* client_ip.c - the walk along X-Forwarded-For. */
#include "base/client_ip.h"

#include <string.h>

#include "base/text.h"

#define ELEMENT_BYTES 64

static bool is_port(const char *text)
{
    return text[0] == '\0' ||
           (text[0] == ':' && lb_text_is_made_of(text + 1, "0-9", 5));
}

/* "1.2.3.4", "1.2.3.4:56", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443",
 * with spaces around it. */
static bool read_element(const char *text, size_t len, struct lb_ip *ip_out)
{
    char element[ELEMENT_BYTES];
    char *rest;

    memset(ip_out, 0, sizeof(*ip_out));
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    while (len > 0 && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        len--;
    }
    if (len == 0 || len >= sizeof(element)) {
        return false;
    }
    memcpy(element, text, len);
    element[len] = '\0';
    if (element[0] == '[') {
        rest = strchr(element, ']');
        if (rest == NULL || !is_port(rest + 1)) {
            return false;
        }
        *rest = '\0';
        return strchr(element, ':') != NULL && lb_ip_parse(element + 1, ip_out);
    }
    rest = strchr(element, ':');
    if (rest != NULL && strchr(element, '.') != NULL &&
        strchr(rest + 1, ':') == NULL) {
        if (!is_port(rest)) {
            return false;
        }
        *rest = '\0';
    }
    return lb_ip_parse(element, ip_out);
}

/* A walk over the elements of a list from its end. */
struct walk {
    const char *text;
    size_t len; /* of what is not walked yet */
    bool is_over;
};

static struct walk walk_start(const char *text)
{
    return (struct walk){text, text == NULL ? 0 : strlen(text), text == NULL};
}

/* The next element to the left; false at the end of the walk. */
static bool walk_next(struct walk *walk, const char **at_out, size_t *len_out)
{
    size_t begin = walk->len;

    if (walk->is_over) {
        return false;
    }
    while (begin > 0 && walk->text[begin - 1] != ',') {
        begin--;
    }
    *at_out = walk->text + begin;
    *len_out = walk->len - begin;
    walk->is_over = begin == 0;
    walk->len = begin == 0 ? 0 : begin - 1;
    return true;
}

static bool is_trusted(const struct lb_ip_set *trusted, const struct lb_ip *ip)
{
    return ip->len == 0 || lb_ip_set_contains(trusted, ip);
}

struct lb_ip lb_client_ip_find(const struct lb_ip_set *trusted,
                               const struct lb_client_ip_hops *hops)
{
    struct lb_ip client = hops->peer;
    struct walk walk = walk_start(hops->forwarded);
    struct lb_ip read;
    const char *at;
    size_t len;

    if (!is_trusted(trusted, &hops->peer)) {
        return client;
    }
    if (hops->named != NULL &&
        read_element(hops->named, strlen(hops->named), &read)) {
        return read;
    }
    while (walk_next(&walk, &at, &len) && read_element(at, len, &read)) {
        client = read;
        if (!lb_ip_set_contains(trusted, &read)) {
            break;
        }
    }
    return client;
}

struct lb_ip lb_client_ip_given(const struct lb_ip_set *trusted,
                                const struct lb_client_ip_hops *hops)
{
    struct walk walk = walk_start(hops->forwarded);
    struct lb_ip given = {0};
    bool is_added =
        hops->peer.len != 0 && lb_ip_set_contains(trusted, &hops->peer);
    struct lb_ip read;
    const char *at;
    size_t len;

    while (walk_next(&walk, &at, &len)) {
        bool is_read = read_element(at, len, &read);

        if (is_added) { /* by the proxies, up to the back end's address */
            is_added = is_read && lb_ip_set_contains(trusted, &read);
        } else if (is_read) {
            given = read; /* the left-most one stays */
        }
    }
    return given;
}
