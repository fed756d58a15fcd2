/* sender_rate.h - how many events a second each sender sends: a token
 * (limits.rate), an inbound source (limits.rate_per_source), a client address
 * (limits.rate_per_ip).  Of senders only keyed hashes are held, in memory, for
 * as long as they owe time.  The loop thread's. */
#ifndef LINKBELL_INGEST_SENDER_RATE_H
#define LINKBELL_INGEST_SENDER_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

struct sender_rate;

struct sender_rate *sender_rate_new(void); /* NULL: out of memory */
void sender_rate_free(struct sender_rate *rate);

/* The sender's hash under a key of this process, never 0.  A subscriber of IPv6
 * is one client with the whole /64; no address is one client, too. */
uint64_t sender_rate_of_token(const struct sender_rate *rate, const char *id);
uint64_t sender_rate_of_source(const struct sender_rate *rate, const char *id);
uint64_t sender_rate_of_client(const struct sender_rate *rate,
                               const struct lb_ip *client);

/* Takes count events of the sender at now, which is monotonic: true, and 0.  Or
 * false, when they come faster than per_second (1 to 10,000,000) and a second's
 * worth is used up, with the milliseconds after which they would be taken.
 * However many there are, they are taken of a sender who owes no time, or they
 * never could be.  The generic cell rate algorithm (ITU-T I.371), which is the
 * leaky bucket as a meter. */
bool sender_rate_take(struct sender_rate *rate,
                      uint64_t sender,
                      size_t count,
                      int64_t per_second,
                      int64_t now_ms,
                      int64_t *wait_ms_out);

#endif
