/* client_ip.h - whose address a request counts for when proxies stand between:
 * the peer's, unless the peer is a proxy that is trusted.  Pure. */
#ifndef LINKBELL_BASE_CLIENT_IP_H
#define LINKBELL_BASE_CLIENT_IP_H

#include <stdbool.h>

#include "base/ip_set.h"

/* What a request says of its way; texts may be NULL. */
struct lb_client_ip_hops {
    struct lb_ip peer;     /* no address: the local socket, which is trusted */
    const char *forwarded; /* all X-Forwarded-For fields, joined by commas */
    const char *named;     /* the field that server.client_ip_header names */
};

/* The client's address.  From a trusted peer: the field that the settings name,
 * when there is one and it holds an address; else the right-most element of
 * X-Forwarded-For that is no trusted proxy.  An element that can't be read ends
 * the walk: the last one to its right counts, or the peer.  No address: a local
 * peer that forwards for nobody. */
struct lb_ip lb_client_ip_find(const struct lb_ip_set *trusted,
                               const struct lb_client_ip_hops *hops);

/* The address that a back end with a token set: the first valid element.  What
 * a trusted proxy in between has added, the back end's own address, does not
 * count.  No address: none was set. */
struct lb_ip lb_client_ip_given(const struct lb_ip_set *trusted,
                                const struct lb_client_ip_hops *hops);

#endif
