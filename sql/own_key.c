/* own_key.c - keys of hashes that belong to one database alone. */
#include "sql/own_key.h"

#include <string.h>

#include "base/secret.h"

enum lb_err own_key_get(struct db *db,
                        const char *name,
                        uint8_t key_out[OWN_KEY_BYTES],
                        struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_OWN_KEY_GET);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        db_bind_text(stmt, 1, name);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row && sqlite3_column_bytes(stmt, 0) == OWN_KEY_BYTES) {
        memcpy(key_out, sqlite3_column_blob(stmt, 0), OWN_KEY_BYTES);
        (void)sqlite3_reset(stmt);
        return LB_OK;
    }
    if (rc != LB_OK || !lb_secret_random(key_out, OWN_KEY_BYTES)) {
        return rc == LB_OK
                   ? lb_err_set(err, LB_EIO, "no random bytes to be had")
                   : rc;
    }
    stmt = db_stmt(db, SQL_OWN_KEY_PUT);
    if (stmt != NULL) {
        db_bind_text(stmt, 1, name);
        (void)sqlite3_bind_blob(stmt, 2, key_out, OWN_KEY_BYTES, SQLITE_STATIC);
    }
    return db_run(db, stmt, err);
}
