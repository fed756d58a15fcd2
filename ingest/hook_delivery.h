/* hook_delivery.h - one delivery of an inbound webhook, from its bytes to
 * events that can be appended: the signature first, then unpacking, JSON and
 * what its source makes of it.  Any thread may look; pure but for the visitor's
 * salt. */
#ifndef LINKBELL_INGEST_HOOK_DELIVERY_H
#define LINKBELL_INGEST_HOOK_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/inflate.h"
#include "ingest/batch.h"
#include "ingest/event.h"
#include "ingest/hook_event.h"
#include "ingest/hook_sign.h"
#include "ingest/hook_source.h"

struct hook_delivery {
    /* Set by the caller; borrowed. */
    const struct hook_source *source; /* NULL: there is none of that name */
    struct hook_sign_proof proof;
    enum lb_inflate_kind packing;
    bool is_packing_known;
    struct event_context context;
    struct batch_limits limits;
    /* What was found. */
    enum hook_sign_verdict verdict;
    enum hook_sign_encoding encoding;  /* of a right signature */
    char body_id[HOOK_EVENT_ID_BYTES]; /* made of its bytes */
    struct batch batch;                /* owned; nothing was sent where every
                                          event was ignored */
    size_t ignored_count;
    bool is_repeatable; /* see hook_event.h */
};

void hook_delivery_init(struct hook_delivery *delivery);
void hook_delivery_deinit(struct hook_delivery *delivery);

/* Nothing of a body is read that is not its source's. */
void hook_delivery_look(struct hook_delivery *delivery);

/* Whether the delivery is the source's. */
bool hook_delivery_is_right(const struct hook_delivery *delivery);

#endif
