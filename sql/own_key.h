/* own_key.h - keys of hashes that belong to one database alone: made when they
 * are asked for first, never shown. */
#ifndef LINKBELL_SQL_OWN_KEY_H
#define LINKBELL_SQL_OWN_KEY_H

#include <stdint.h>

#include "base/err.h"
#include "sql/db.h"

#define OWN_KEY_BYTES 16

/* On the writer's connection.  LB_EIO: no random bytes to be had. */
LB_MUST_CHECK enum lb_err own_key_get(struct db *db,
                                      const char *name,
                                      uint8_t key_out[OWN_KEY_BYTES],
                                      struct lb_error *err);

#endif
