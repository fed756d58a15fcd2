/* id_set.h - many 64-bit hashes of ids, without end: those of a whole log while
 * an import runs, each with a mark whether the import has met it.  10 bytes
 * each at least, 20 at most; it grows in pieces, so that no single addition
 * takes long.  The last bit of a hash does not count. */
#ifndef LINKBELL_INGEST_ID_SET_H
#define LINKBELL_INGEST_ID_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ID_SET_PIECES 256

struct id_set {
    struct id_set_piece {
        uint64_t *slots; /* owned; 0: free */
        size_t cap;      /* 0 or a power of two */
        size_t count;
    } pieces[ID_SET_PIECES];
};

void id_set_init(struct id_set *set);
void id_set_deinit(struct id_set *set);

/* Hashes are even all over, as SipHash's are.  Adds one that may be there;
 * LB_ENOMEM. */
LB_MUST_CHECK enum lb_err
id_set_add(struct id_set *set, uint64_t hash, bool is_met);

/* What is known of a hash; one that was only known is met from now on. */
enum id_set_found { ID_SET_NEW, ID_SET_KNOWN, ID_SET_MET };
enum id_set_found id_set_meet(struct id_set *set, uint64_t hash);

/* Says that hash will be asked for soon. */
void id_set_expect(const struct id_set *set, uint64_t hash);

#endif
