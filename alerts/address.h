/* address.h - where messages may go: private and special addresses are refused
 * unless the configuration allows their network.  Pure. */
#ifndef LINKBELL_ALERTS_ADDRESS_H
#define LINKBELL_ALERTS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/config.h"

/* Networks that the configuration allows; a copy of its own. */
struct address_list {
    char *networks[LB_CONFIG_LIST_MAX]; /* owned */
    size_t count;
};
void address_list_copy(struct address_list *list,
                       const struct lb_config_list *from);
void address_list_deinit(struct address_list *list);

/* Whether address lies in one of count networks ("10.0.0.0/8", "::1"). */
bool address_is_in(const struct sockaddr *address,
                   const char *const *networks,
                   size_t count);

/* Whether messages may not go there by default: everything that is no public
 * unicast address (IANA special-purpose registries), IPv4 inside IPv6 judged as
 * IPv4. */
bool address_is_refused(const struct sockaddr *address);

/* Whether to connect there: to a listed network, or to a public address unless
 * is_plain (without TLS).  *is_listed_out: it is listed. */
bool address_may_be_called(const struct address_list *list,
                           const struct sockaddr *address,
                           bool is_plain,
                           bool *is_listed_out);

#endif
