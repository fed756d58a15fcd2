/* dict.c - the shared dictionary: texts as numbers. */
#include "sql/dict.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_BUCKETS 1024

static _Atomic uint64_t forgotten;

struct word {
    struct word *next;  /* in its bucket */
    struct word *added; /* in the list of this transaction */
    struct word *gone;  /* likewise, of those that it removes */
    int64_t number;
    int field;
    uint64_t hash;
    char text[];
};

struct dict {
    struct word *
        *by_number; /* owned array; NULL where the number is nobody's */
    size_t number_cap;
    struct word **buckets; /* owned */
    size_t bucket_count;   /* a power of two */
    size_t count;
    struct word *added; /* by this transaction, newest first */
    struct word *gone;  /* by this transaction */
    /* What each column was asked for last: an event's source, say, is mostly
     * that of the one before. */
    struct word *latest[ENTRY_DICT_COUNT];
};

static uint64_t hash_word(int field, const char *text)
{
    uint8_t key[LB_HASH_KEY_BYTES] = {0};

    key[0] = (uint8_t)field;
    return lb_hash_sip_fast(key, text, strlen(text));
}

static enum lb_err grow(struct dict *dict)
{
    size_t count =
        dict->bucket_count == 0 ? FIRST_BUCKETS : dict->bucket_count * 2;
    struct word **buckets = calloc(count, sizeof(struct word *));

    if (buckets == NULL) {
        return LB_ENOMEM;
    }
    for (size_t i = 0; i < dict->bucket_count; i++) {
        struct word *word = dict->buckets[i];

        while (word != NULL) {
            struct word *next = word->next;

            word->next = buckets[word->hash & (count - 1)];
            buckets[word->hash & (count - 1)] = word;
            word = next;
        }
    }
    free(dict->buckets);
    dict->buckets = buckets;
    dict->bucket_count = count;
    return LB_OK;
}

static enum lb_err make_place(struct dict *dict, int64_t number)
{
    size_t cap = (size_t)number + (size_t)number / 2 + 64;
    struct word **by_number;

    if ((size_t)number < dict->number_cap) {
        return LB_OK;
    }
    by_number = realloc(dict->by_number, cap * sizeof(struct word *));
    if (by_number == NULL) {
        return LB_ENOMEM;
    }
    memset(by_number + dict->number_cap, 0,
           (cap - dict->number_cap) * sizeof(struct word *));
    dict->by_number = by_number;
    dict->number_cap = cap;
    return LB_OK;
}

const char *dict_text(const struct dict *dict, int64_t number)
{
    if (number <= 0 || (size_t)number >= dict->number_cap ||
        dict->by_number[number] == NULL) {
        return NULL;
    }
    return dict->by_number[number]->text;
}

static struct word *
add_word(struct dict *dict, int field, const char *text, int64_t number)
{
    size_t len = strlen(text);
    struct word *word;

    if (dict->count >= dict->bucket_count && grow(dict) != LB_OK) {
        return NULL;
    }
    word = make_place(dict, number) == LB_OK ? malloc(sizeof(*word) + len + 1)
                                             : NULL;
    if (word == NULL) {
        return NULL;
    }
    dict->by_number[number] = word;
    word->number = number;
    word->field = field;
    word->hash = hash_word(field, text);
    word->added = NULL;
    word->gone = NULL;
    memcpy(word->text, text, len + 1);
    word->next = dict->buckets[word->hash & (dict->bucket_count - 1)];
    dict->buckets[word->hash & (dict->bucket_count - 1)] = word;
    dict->count++;
    return word;
}

static void drop_word(struct dict *dict, struct word *word)
{
    struct word **at = &dict->buckets[word->hash & (dict->bucket_count - 1)];

    while (*at != word) {
        at = &(*at)->next;
    }
    *at = word->next;
    dict->count--;
    for (int column = 0; column < ENTRY_DICT_COUNT; column++) {
        if (dict->latest[column] == word) {
            dict->latest[column] = NULL;
        }
    }
    dict->by_number[word->number] = NULL;
    free(word);
}

static void committed(void *ctx)
{
    struct dict *dict = ctx;

    dict->added = NULL;
    while (dict->gone != NULL) {
        struct word *word = dict->gone;

        dict->gone = word->gone;
        drop_word(dict, word);
    }
}

static void rolled_back(void *ctx)
{
    struct dict *dict = ctx;

    while (dict->gone != NULL) {
        struct word *word = dict->gone;

        dict->gone = word->gone;
        word->gone = NULL;
    }
    while (dict->added != NULL) {
        struct word *word = dict->added;

        dict->added = word->added;
        drop_word(dict, word);
    }
}

static enum lb_err load(struct dict *dict, struct db *db, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DICT_ALL);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        if (add_word(dict, sqlite3_column_int(stmt, 1),
                     (const char *)sqlite3_column_text(stmt, 2),
                     sqlite3_column_int64(stmt, 0)) == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return rc;
}

enum lb_err
dict_new(struct writer *writer, struct dict **dict_out, struct lb_error *err)
{
    struct dict *dict = calloc(1, sizeof(*dict));
    struct writer_member member = {dict, NULL, NULL, committed, rolled_back};
    enum lb_err rc;

    *dict_out = NULL;
    if (dict == NULL || grow(dict) != LB_OK) {
        free(dict);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = load(dict, writer_db(writer), err);
    if (rc != LB_OK) {
        dict_free(dict);
        return rc;
    }
    writer_add_member(writer, &member);
    *dict_out = dict;
    return LB_OK;
}

void dict_free(struct dict *dict)
{
    if (dict == NULL) {
        return;
    }
    for (size_t i = 0; i < dict->bucket_count; i++) {
        while (dict->buckets[i] != NULL) {
            struct word *word = dict->buckets[i];

            dict->buckets[i] = word->next;
            free(word);
        }
    }
    free(dict->by_number);
    free(dict->buckets);
    free(dict);
}

enum lb_err dict_intern(struct dict *dict,
                        struct db *db,
                        enum entry_dict column,
                        const char *text,
                        int64_t *number_out,
                        struct lb_error *err)
{
    struct word *word;
    sqlite3_stmt *stmt;
    uint64_t hash;
    enum lb_err rc;

    *number_out = 0;
    if (text == NULL) {
        return LB_OK;
    }
    word = dict->latest[column];
    if (word != NULL && strcmp(word->text, text) == 0) {
        *number_out = word->number;
        return LB_OK;
    }
    hash = hash_word((int)column, text);
    for (word = dict->buckets[hash & (dict->bucket_count - 1)]; word != NULL;
         word = word->next) {
        if (word->hash == hash && word->field == (int)column &&
            strcmp(word->text, text) == 0) {
            dict->latest[column] = word;
            *number_out = word->number;
            return LB_OK;
        }
    }
    stmt = db_stmt(db, SQL_DICT_INSERT);
    if (stmt != NULL) {
        (void)sqlite3_bind_int(stmt, 1, (int)column);
        db_bind_text(stmt, 2, text);
    }
    rc = db_run(db, stmt, err);
    if (rc != LB_OK) {
        return rc;
    }
    *number_out = sqlite3_last_insert_rowid(db_handle(db));
    word = add_word(dict, (int)column, text, *number_out);
    if (word == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    word->added = dict->added;
    dict->added = word;
    return LB_OK;
}

void dict_forget(struct dict *dict, int64_t number)
{
    if (dict_text(dict, number) != NULL) {
        dict->by_number[number]->gone = dict->gone;
        dict->gone = dict->by_number[number];
    }
    (void)atomic_fetch_add(&forgotten, 1);
}

uint64_t dict_forgotten(void)
{
    return atomic_load(&forgotten);
}

struct dict_cache {
    char **texts; /* owned; by number */
    size_t cap;
    size_t bytes; /* of the texts */
};

struct dict_cache *dict_cache_new(void)
{
    return calloc(1, sizeof(struct dict_cache));
}

void dict_cache_clear(struct dict_cache *cache)
{
    for (size_t i = 0; i < cache->cap; i++) {
        free(cache->texts[i]);
    }
    free(cache->texts);
    memset(cache, 0, sizeof(*cache));
}

void dict_cache_free(struct dict_cache *cache)
{
    if (cache != NULL) {
        dict_cache_clear(cache);
        free(cache);
    }
}

size_t dict_cache_bytes(const struct dict_cache *cache)
{
    return cache == NULL ? 0
                         : cache->cap * sizeof(*cache->texts) + cache->bytes;
}

static char *read_text(struct db *db, int64_t number)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DICT_TEXT);
    struct lb_error err;
    bool has_row = false;
    char *text = NULL;

    if (stmt == NULL) {
        return NULL;
    }
    (void)sqlite3_bind_int64(stmt, 1, number);
    if (db_next(db, stmt, &has_row, &err) == LB_OK && has_row) {
        text = strdup((const char *)sqlite3_column_text(stmt, 0));
        (void)sqlite3_reset(stmt);
    }
    return text;
}

const char *
dict_cache_text(struct dict_cache *cache, struct db *db, int64_t number)
{
    size_t at = (size_t)number;

    if (number <= 0 || number > INT32_MAX) {
        return NULL;
    }
    if (at >= cache->cap) {
        size_t cap = at + at / 2 + 64;
        char **texts = realloc(cache->texts, cap * sizeof(*texts));

        if (texts == NULL) {
            return NULL;
        }
        memset(texts + cache->cap, 0, (cap - cache->cap) * sizeof(*texts));
        cache->texts = texts;
        cache->cap = cap;
    }
    if (cache->texts[at] == NULL) {
        cache->texts[at] = read_text(db, number);
        cache->bytes +=
            cache->texts[at] == NULL ? 0 : strlen(cache->texts[at]) + 1;
    }
    return cache->texts[at];
}

enum lb_err dict_find(struct db *db,
                      enum entry_dict column,
                      const char *text,
                      int64_t *number_out,
                      struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_DICT_FIND);
    bool has_row = false;
    enum lb_err rc;

    *number_out = 0;
    if (stmt != NULL) {
        (void)sqlite3_bind_int(stmt, 1, (int)column);
        db_bind_text(stmt, 2, text);
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *number_out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_reset(stmt);
    }
    return rc;
}
