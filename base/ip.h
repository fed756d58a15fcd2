/* ip.h - IPv4 and IPv6 addresses as bytes, and one network of them.  IPv4
 * inside IPv6 (::ffff:0:0/96, and NAT64's 64:ff9b::/96 of RFC 6052) comes out
 * as IPv4, so that one client has one address.  Pure. */
#ifndef LINKBELL_BASE_IP_H
#define LINKBELL_BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct lb_ip {
    uint8_t len; /* 4 or 16; 0: none */
    uint8_t bytes[16];
};

/* A network as its first and last address, both of one length. */
struct lb_ip_range {
    struct lb_ip first;
    struct lb_ip last;
};

/* Reads an address as inet_pton does: four decimal parts or IPv6 without zone,
 * brackets, port or spaces.  False leaves *ip_out without an address. */
bool lb_ip_parse(const char *text, struct lb_ip *ip_out);

/* The address of an AF_INET or AF_INET6 socket address; false for others. */
bool lb_ip_from(const struct sockaddr *address, struct lb_ip *ip_out);

/* The way back, port 0; ip must hold an address. */
void lb_ip_to(const struct lb_ip *ip, struct sockaddr_storage *address_out);

/* Reads "10.0.0.0/8", "2001:db8::/32" or a single address; bits behind the
 * prefix are dropped. */
bool lb_ip_parse_range(const char *text, struct lb_ip_range *range_out);

/* Below, at or above zero as memcmp; IPv4 comes before IPv6. */
int lb_ip_compare(const struct lb_ip *a, const struct lb_ip *b);

bool lb_ip_is_within(const struct lb_ip *ip, const struct lb_ip_range *range);

#endif
