/* visitor.c - salts, hashes and numbers of visitors. */
#include "ingest/visitor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "ingest/visitor_store.h"

#define GRACE_MS (72 * LB_MS_PER_HOUR) /* late events are taken that long */
#define CHORE_MS LB_MS_PER_MIN
#define BUCKETS 4096
#define V6_NETWORK_BYTES 8 /* a subscriber has a /64 at least */

struct visitors {
    pthread_mutex_t lock;
    struct visitor_salt
        *buckets[BUCKETS]; /* by lock: the lists; salts are owned */
    _Atomic int period;
    struct visitor_store *store; /* owned; the writer thread's */
    /* Owned; freed by the chore after next, since events that were read before
     * may still wait. */
    struct visitor_salt *retired;
    struct visitor_salt *doomed; /* owned; freed in steps */
    bool is_expiring;            /* the chore has more to do */
};

static size_t bucket_of(int64_t site, int64_t day)
{
    return (size_t)((uint64_t)site * 2654435761u + (uint64_t)day) % BUCKETS;
}

/* Day on which the period that holds a local day begins, and the day after it.
 */
static int64_t period_start(enum visitor_period period, int64_t day)
{
    switch (period) {
    case VISITOR_WEEK:
        return lb_zone_day_floor(LB_ZONE_WEEK, day);
    case VISITOR_MONTH:
        return lb_zone_day_floor(LB_ZONE_MONTH, day);
    case VISITOR_DAY:
        break;
    }
    return day;
}

static int64_t period_end(enum visitor_period period, int64_t start)
{
    switch (period) {
    case VISITOR_WEEK:
        return start + 7;
    case VISITOR_MONTH:
        return lb_zone_day_floor(LB_ZONE_MONTH, start + 31);
    case VISITOR_DAY:
        break;
    }
    return start + 1;
}

static struct visitor_salt *
find(struct visitors *visitors, int64_t site, int64_t day, const char *import)
{
    struct visitor_salt *salt = visitors->buckets[bucket_of(site, day)];

    while (salt != NULL && (salt->site != site || salt->day != day ||
                            strcmp(salt->import, import) != 0)) {
        salt = salt->next;
    }
    return salt;
}

static void add(struct visitors *visitors, struct visitor_salt *salt)
{
    struct visitor_salt **bucket =
        &visitors->buckets[bucket_of(salt->site, salt->day)];

    lb_secret_hmac_init(&salt->hmac, salt->bytes, sizeof(salt->bytes));
    salt->next = *bucket;
    *bucket = salt;
}

/* When the period that begins on day is over and late events, too. */
static int64_t expiry_of(const struct catalog_site *site,
                         enum visitor_period period,
                         int64_t day)
{
    return lb_zone_day_start_ms(site->zone, period_end(period, day)) + GRACE_MS;
}

static struct visitor_salt *
new_salt(int64_t site, int64_t day, const char *import)
{
    struct visitor_salt *salt = calloc(1, sizeof(*salt));

    if (salt != NULL && !lb_secret_random(salt->bytes, sizeof(salt->bytes))) {
        free(salt);
        salt = NULL;
    }
    if (salt != NULL) {
        salt->site = site;
        salt->day = day;
        (void)snprintf(salt->import, sizeof(salt->import), "%s", import);
    }
    return salt;
}

struct visitor_salt *visitor_salt_of(struct visitors *visitors,
                                     const struct catalog_site *site,
                                     int64_t ts_at_ms,
                                     const char *import)
{
    enum visitor_period period =
        (enum visitor_period)atomic_load(&visitors->period);
    int64_t day = period_start(period, lb_zone_local_day(site->zone, ts_at_ms));
    struct visitor_salt *salt;

    /* An import into a period that is still open uses its salt. */
    if (import[0] != '\0' &&
        lb_clock_wall_ms() < expiry_of(site, period, day)) {
        import = "";
    }
    (void)pthread_mutex_lock(&visitors->lock);
    salt = find(visitors, site->number, day, import);
    if (salt == NULL) {
        salt = new_salt(site->number, day, import);
        if (salt != NULL) {
            salt->expires_at_ms = import[0] == '\0'
                                      ? expiry_of(site, period, day)
                                      : lb_clock_wall_ms() + GRACE_MS;
            add(visitors, salt);
        }
    }
    (void)pthread_mutex_unlock(&visitors->lock);
    return salt;
}

int64_t visitor_salt_day(const struct visitor_salt *salt)
{
    return salt->day;
}

static uint64_t first_8(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

uint64_t visitor_hash_address(const struct visitor_salt *salt,
                              const char *site_id,
                              const struct lb_ip *address,
                              const char *agent)
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    SHA256_CTX message;
    size_t len = strnlen(agent, VISITOR_AGENT_BYTES);
    bool is_v4 = address->len == 4;

    lb_secret_hmac_start(&salt->hmac, &message);
    lb_secret_hmac_add(&message, site_id, strlen(site_id) + 1);
    lb_secret_hmac_add(&message, is_v4 ? "4" : "6", 1);
    lb_secret_hmac_add(&message, address->bytes, is_v4 ? 4 : V6_NETWORK_BYTES);
    lb_secret_hmac_add(&message, "", 1);
    lb_secret_hmac_add(&message, agent, len);
    lb_secret_hmac_finish(&salt->hmac, &message, digest);
    return first_8(digest);
}

uint64_t visitor_hash_given(const struct visitor_salt *salt,
                            const char *site_id,
                            const char *given)
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    SHA256_CTX message;

    lb_secret_hmac_start(&salt->hmac, &message);
    lb_secret_hmac_add(&message, site_id, strlen(site_id) + 1);
    lb_secret_hmac_add(&message, "v", 1);
    lb_secret_hmac_add(&message, given, strlen(given));
    lb_secret_hmac_finish(&salt->hmac, &message, digest);
    return first_8(digest);
}

uint64_t
visitor_hash_salted(const uint8_t *salt, const char *site_id, const char *given)
{
    struct visitor_salt whole;

    memset(&whole, 0, sizeof(whole));
    lb_secret_hmac_init(&whole.hmac, salt, sizeof(whole.bytes));
    return visitor_hash_given(&whole, site_id, given);
}

/* The next salt of a list, from salt on, of the site's day; number as for
 * visitor_forget(). */
static struct visitor_salt *
next_meant(struct visitor_salt *salt, int64_t site, int64_t day, int64_t number)
{
    while (salt != NULL &&
           (salt->site != site || (number != 0 && salt->day != day))) {
        salt = salt->next;
    }
    return salt;
}

void visitor_forget(struct visitors *visitors,
                    int64_t site,
                    int64_t day,
                    int64_t number)
{
    (void)pthread_mutex_lock(&visitors->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct visitor_salt *salt =
            next_meant(visitors->buckets[i], site, day, number);

        while (salt != NULL) {
            visitor_store_forget(salt, number);
            salt = next_meant(salt->next, site, day, number);
        }
    }
    (void)pthread_mutex_unlock(&visitors->lock);
}

void visitor_expect(const struct visitor_salt *salt, uint64_t hash)
{
    visitor_store_expect(salt, hash);
}

enum lb_err visitor_number(struct visitors *visitors,
                           struct db *db,
                           struct visitor_salt *salt,
                           uint64_t hash,
                           int64_t *number_out,
                           struct lb_error *err)
{
    return visitor_store_number(visitors->store, db, salt, hash, number_out,
                                err);
}

int64_t visitor_known_number(const struct visitor_salt *salt, uint64_t hash)
{
    return visitor_store_known(salt, hash);
}

/* Whether the salt is the import's; NULL: whether it is expired at now_ms. */
static bool
is_over(const struct visitor_salt *salt, const char *import, int64_t now_ms)
{
    return import != NULL ? strcmp(salt->import, import) == 0
                          : salt->expires_at_ms <= now_ms;
}

/* Moves the salts of a list that are over to taken; returns its new head. */
static struct visitor_salt *take_from(struct visitor_salt **at,
                                      struct visitor_salt *taken,
                                      const char *import,
                                      int64_t now_ms)
{
    while (*at != NULL) {
        struct visitor_salt *salt = *at;

        if (is_over(salt, import, now_ms)) {
            *at = salt->next;
            salt->next = taken;
            taken = salt;
        } else {
            at = &salt->next;
        }
    }
    return taken;
}

/* Takes salts out of the lists: those of an import, or those expired at now_ms.
 */
static struct visitor_salt *
take(struct visitors *visitors, const char *import, int64_t now_ms)
{
    struct visitor_salt *taken = NULL;

    (void)pthread_mutex_lock(&visitors->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        taken = take_from(&visitors->buckets[i], taken, import, now_ms);
    }
    (void)pthread_mutex_unlock(&visitors->lock);
    return taken;
}

enum lb_err visitor_end_import(struct visitors *visitors,
                               struct db *db,
                               const char *import,
                               bool *has_more_out,
                               struct lb_error *err)
{
    struct visitor_salt *salt =
        import[0] == '\0' ? NULL : take(visitors, import, 0);

    *has_more_out = false;

    /* This transaction may have saved them: they go when it is over. */
    while (salt != NULL) {
        struct visitor_salt *next = salt->next;

        salt->next = visitors->retired;
        visitors->retired = salt;
        salt = next;
    }
    return import[0] == '\0'
               ? LB_OK
               : visitor_store_forget_import(visitors->store, db, import,
                                             has_more_out, err);
}

static bool expire_chore(void *ctx, struct db *db)
{
    struct visitors *visitors = ctx;
    int64_t now_ms = lb_clock_wall_ms();
    struct lb_error err;
    bool has_more = false;

    if (!visitors->is_expiring) {
        visitors->doomed = visitors->retired;
        visitors->retired = take(visitors, NULL, now_ms);
    }
    visitors->doomed = visitor_store_retire(visitors->doomed);
    if (visitor_store_expire(visitors->store, db, now_ms, &has_more, &err) !=
        LB_OK) {
        lb_log_limited(LB_LOG_WARN, "salts_expire", "text=\"%s\"", err.text);
    }
    visitors->is_expiring = has_more || visitors->doomed != NULL;
    return visitors->is_expiring;
}

bool visitor_sweep(void *visitors, struct db *db)
{
    struct lb_error err;
    bool has_more = false;

    if (visitor_store_sweep(((struct visitors *)visitors)->store, db, &has_more,
                            &err) != LB_OK) {
        lb_log_limited(LB_LOG_WARN, "salts_sweep", "text=\"%s\"", err.text);
    }
    return has_more;
}

void visitor_set_period(struct visitors *visitors, enum visitor_period period)
{
    atomic_store(&visitors->period, (int)period);
}

void visitor_set_period_name(struct visitors *visitors, const char *name)
{
    visitor_set_period(visitors, strcmp(name, "week") == 0    ? VISITOR_WEEK
                                 : strcmp(name, "month") == 0 ? VISITOR_MONTH
                                                              : VISITOR_DAY);
}

enum lb_err visitor_new(struct writer *writer,
                        struct visitors **visitors_out,
                        struct lb_error *err)
{
    struct visitors *visitors = calloc(1, sizeof(*visitors));
    struct visitor_salt *salt = NULL;
    enum lb_err rc;

    *visitors_out = NULL;
    if (visitors == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    (void)pthread_mutex_init(&visitors->lock, NULL);
    rc = visitor_store_new(writer, &visitors->store, &salt, err);
    while (salt != NULL) {
        struct visitor_salt *next = salt->next;

        add(visitors, salt);
        salt = next;
    }
    if (rc != LB_OK) {
        visitor_free(visitors);
        return rc;
    }
    writer_add_chore(writer, "visitors", expire_chore, visitors, CHORE_MS);
    writer_add_chore(writer, "visitor_hashes", visitor_sweep, visitors,
                     CHORE_MS);
    *visitors_out = visitors;
    return LB_OK;
}

static void free_salts(struct visitor_salt *salts)
{
    while (salts != NULL) {
        salts = visitor_store_retire(salts);
    }
}

void visitor_free(struct visitors *visitors)
{
    if (visitors == NULL) {
        return;
    }
    free_salts(visitors->doomed);
    free_salts(visitors->retired);
    free_salts(take(visitors, NULL, INT64_MAX));
    visitor_store_free(visitors->store);
    (void)pthread_mutex_destroy(&visitors->lock);
    free(visitors);
}
