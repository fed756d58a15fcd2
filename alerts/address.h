/* address.h - where messages may go: private and special addresses are refused
 * unless the configuration allows their network.  Pure. */
#ifndef LINKBELL_ALERTS_ADDRESS_H
#define LINKBELL_ALERTS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Whether address lies in one of count networks ("10.0.0.0/8", "::1"). */
bool address_is_in(const struct sockaddr *address,
                   const char *const *networks,
                   size_t count);

/* Whether messages may not go there by default: everything that is no public
 * unicast address (IANA special-purpose registries), IPv4 inside IPv6 judged as
 * IPv4. */
bool address_is_refused(const struct sockaddr *address);

#endif
