/* visitor_store.h - numbers of visitors in memory and on disk, on the writer
 * thread. */
#ifndef LINKBELL_INGEST_VISITOR_STORE_H
#define LINKBELL_INGEST_VISITOR_STORE_H

#include "base/secret.h"
#include "ingest/visitor.h"

/* In 32 bits each, so that a slot has 12 bytes. */
struct visitor_slot {
    uint32_t hash_high;
    uint32_t hash_low;
    uint32_t number; /* 0: free */
};

struct visitor_salt {
    struct visitor_salt *next;
    int64_t site;
    int64_t day;
    char import[VISITOR_IMPORT_BYTES];
    uint8_t bytes[32];
    struct lb_secret_hmac hmac;
    int64_t expires_at_ms;
    /* The writer thread's, from here. */
    int64_t number;    /* of the row; 0: not saved yet */
    bool is_saved_now; /* by the present transaction */
    struct visitor_slot
        *slots; /* owned; open addressing, 14 to 21 bytes a visitor */
    size_t slot_count;
    size_t used;
};

struct visitor_store;

/* Registers with the writer and reads what is on disk; *salts_out is a list. */
LB_MUST_CHECK enum lb_err visitor_store_new(struct writer *writer,
                                            struct visitor_store **store_out,
                                            struct visitor_salt **salts_out,
                                            struct lb_error *err);
void visitor_store_free(struct visitor_store *store);
/* Says that hash will be asked for soon. */
void visitor_store_expect(const struct visitor_salt *salt, uint64_t hash);
LB_MUST_CHECK enum lb_err visitor_store_number(struct visitor_store *store,
                                               struct db *db,
                                               struct visitor_salt *salt,
                                               uint64_t hash,
                                               int64_t *number_out,
                                               struct lb_error *err);
/* 0: the hash has no number. */
int64_t visitor_store_known(const struct visitor_salt *salt, uint64_t hash);
/* Takes the visitor of that number out of the map; with 0 all of them, and the
 * salt counts as not saved. */
void visitor_store_forget(struct visitor_salt *salt, int64_t number);
/* Frees salts that no event refers to any more, a step of them; returns the
 * rest. */
struct visitor_salt *visitor_store_retire(struct visitor_salt *salts);
/* Forget salts, those of an import or the expired ones, a step of them;
 * *has_more_out tells whether another one is due. */
LB_MUST_CHECK enum lb_err
visitor_store_forget_import(struct visitor_store *store,
                            struct db *db,
                            const char *import,
                            bool *has_more_out,
                            struct lb_error *err);
LB_MUST_CHECK enum lb_err visitor_store_expire(struct visitor_store *store,
                                               struct db *db,
                                               int64_t now_ms,
                                               bool *has_more_out,
                                               struct lb_error *err);
/* Takes hashes away whose salt is gone, a step; *has_more_out tells whether
 * another one is due. */
LB_MUST_CHECK enum lb_err visitor_store_sweep(struct visitor_store *store,
                                              struct db *db,
                                              bool *has_more_out,
                                              struct lb_error *err);

#endif
