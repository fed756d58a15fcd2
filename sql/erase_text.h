/* erase_text.h - texts of the dictionary that only erased events had. */
#ifndef LINKBELL_SQL_ERASE_TEXT_H
#define LINKBELL_SQL_ERASE_TEXT_H

#include "sql/erase.h"

/* On a reader: which texts of the dictionary nobody has any more; in pieces. */
LB_MUST_CHECK enum lb_err erase_text_find(struct erase *erase,
                                          struct db *db,
                                          bool *is_over_out,
                                          struct lb_error *err);

/* In a writer's job of its own: drops those texts. */
LB_MUST_CHECK enum lb_err
erase_text_drop(struct erase *erase, struct db *db, struct lb_error *err);

#endif
