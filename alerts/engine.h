/* engine.h - the consumer of the cursor that decides: entries in order, each
 * shown to the rules that it may concern; alerts, messages and deliveries in
 * the same transaction. */
#ifndef LINKBELL_ALERTS_ENGINE_H
#define LINKBELL_ALERTS_ENGINE_H

#include "base/config.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/cursor.h"
#include "sql/erase.h"

struct engine;

LB_MUST_CHECK enum lb_err engine_new(struct catalog_holder *holder,
                                     const struct lb_config *config,
                                     struct engine **engine_out,
                                     struct lb_error *err);
void engine_free(struct engine *engine);
/* Its part in erasing: windows are then read from the log again. */
void engine_hook(struct engine *engine, struct erase_hooks *hooks);
struct cursor_consumer engine_consumer(struct engine *engine);

/* Called on the writer thread after a commit that queued messages. */
void engine_set_wake(struct engine *engine, void (*wake)(void *ctx), void *ctx);

#endif
