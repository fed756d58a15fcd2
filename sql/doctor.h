/* doctor.h - what is wrong with the data, the disk, the clock and what goes
 * out, in words that say what to do. */
#ifndef LINKBELL_SQL_DOCTOR_H
#define LINKBELL_SQL_DOCTOR_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/catalog.h"
#include "sql/db.h"
#include "sql/writer.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

/* What was found so far: the elements of a JSON list. */
struct doctor {
    struct lb_buf rows;
    enum doctor_level worst;
};

/* Notes a finding about name ("disk"). */
void doctor_note(struct doctor *doctor,
                 enum doctor_level level,
                 const char *name,
                 const char *fmt,
                 ...) LB_PRINTF(4, 5);

/* What the loop thread knows when it is asked. */
struct doctor_facts {
    struct writer_status writer;
    int64_t lag_ms;          /* of the rollups */
    const char *geo;         /* its state: "ok", "missing", ... */
    struct catalog *catalog; /* borrowed */
};

/* Looks at everything, inside a reader's transaction. */
void doctor_look(struct doctor *doctor,
                 struct db *db,
                 const struct doctor_facts *facts);

#endif
