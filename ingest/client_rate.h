/* client_rate.h - how many events a client sends this second
 * (limits.rate_per_ip).  Of addresses only keyed hashes are held, in memory and
 * for a second.  The loop thread's. */
#ifndef LINKBELL_INGEST_CLIENT_RATE_H
#define LINKBELL_INGEST_CLIENT_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

struct client_rate;

struct client_rate *client_rate_new(void); /* NULL: out of memory */
void client_rate_free(struct client_rate *rate);

/* Takes count events of the client at now, which is monotonic, unless these
 * would be more than per_second: false then.  The first of a second are taken
 * however many they are, or they never could be.  A subscriber of IPv6 is one
 * client with the whole /64; no address is one client, too. */
bool client_rate_take(struct client_rate *rate,
                      const struct lb_ip *client,
                      size_t count,
                      int64_t per_second,
                      int64_t now_ms);

#endif
