/* source.c - from referrer, campaign and click identifier to a source. */
#include "ingest/source.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define TABLE_SLOTS 2048 /* power of two, over twice the texts of the table */
#define LABEL_BYTES 63   /* RFC 1035, 2.3.4 */

static const struct source_row rows[] = {
#include "ingest/tables/sources.inc"
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

enum key_kind { KEY_HOST, KEY_APP, KEY_ALIAS, KEY_PAID_ALIAS };

struct slot {
    const char *text; /* into the table's rows; NULL: free */
    size_t len;
    enum key_kind kind;
    const struct source_row *row;
};

struct source_table {
    struct slot slots[TABLE_SLOTS];
};

/* FNV-1a over the folded text (Fowler, Noll and Vo). */
static size_t slot_of(enum key_kind kind, const char *text, size_t len)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)kind;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)lb_text_fold(text[i])) *
               UINT64_C(1099511628211);
    }
    return (size_t)(hash ^ hash >> 32) & (TABLE_SLOTS - 1);
}

static bool is_same(const struct slot *slot,
                    enum key_kind kind,
                    const char *text,
                    size_t len)
{
    if (slot->kind != kind || slot->len != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (lb_text_fold(slot->text[i]) != lb_text_fold(text[i])) {
            return false;
        }
    }
    return true;
}

static const struct source_row *table_find(const struct source_table *table,
                                           enum key_kind kind,
                                           const char *text,
                                           size_t len)
{
    size_t at = slot_of(kind, text, len);

    while (table->slots[at].text != NULL) {
        if (is_same(&table->slots[at], kind, text, len)) {
            return table->slots[at].row;
        }
        at = (at + 1) & (TABLE_SLOTS - 1);
    }
    return NULL;
}

static void table_add(struct source_table *table,
                      enum key_kind kind,
                      const char *text,
                      size_t len,
                      const struct source_row *row)
{
    size_t at = slot_of(kind, text, len);

    if (len == 0 || table_find(table, kind, text, len) != NULL) {
        return; /* the first row that claims a text keeps it */
    }
    while (table->slots[at].text != NULL) {
        at = (at + 1) & (TABLE_SLOTS - 1);
    }
    table->slots[at] = (struct slot){text, len, kind, row};
}

static void add_list(struct source_table *table,
                     enum key_kind kind,
                     const char *list,
                     char separator,
                     const struct source_row *row)
{
    while (*list != '\0') {
        const char *end = strchr(list, separator);
        size_t len = end == NULL ? strlen(list) : (size_t)(end - list);

        table_add(table, kind, list, len, row);
        list += len + (end == NULL ? 0 : 1);
    }
}

struct source_table *source_table_new(void)
{
    struct source_table *table = calloc(1, sizeof(*table));

    if (table == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct source_row *row = &rows[i];

        add_list(table, KEY_HOST, row->hosts, ' ', row);
        add_list(table, KEY_APP, row->apps, ' ', row);
        table_add(table, KEY_ALIAS, row->name, strlen(row->name), row);
        add_list(table, KEY_ALIAS, row->aliases, ',', row);
        add_list(table, KEY_PAID_ALIAS, row->paid_aliases, ',', row);
    }
    return table;
}

void source_table_free(struct source_table *table)
{
    free(table);
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether text is "com", a country ("de"), or "co." or "com." and a country. */
static bool is_country_domain(const char *text)
{
    if (strcmp(text, "com") == 0) {
        return true;
    }
    if (strncmp(text, "co.", 3) == 0) {
        text += 3;
    } else if (strncmp(text, "com.", 4) == 0) {
        text += 4;
    }
    return is_letter(text[0]) && is_letter(text[1]) && text[2] == '\0';
}

/* Longest suffix of host, on label boundaries, that the table has. */
static const struct source_row *find_host(const struct source_table *table,
                                          const char *host)
{
    char wild[LABEL_BYTES + 3];

    for (const char *at = host; at != NULL;) {
        const char *dot = strchr(at, '.');
        const struct source_row *row =
            table_find(table, KEY_HOST, at, strlen(at));

        if (row != NULL) {
            return row;
        }
        if (dot != NULL && dot - at <= LABEL_BYTES &&
            is_country_domain(dot + 1)) {
            size_t len = (size_t)(dot - at) + 1;

            memcpy(wild, at, len);
            wild[len] = '*';
            row = table_find(table, KEY_HOST, wild, len + 1);
        }
        if (row != NULL) {
            return row;
        }
        at = dot == NULL ? NULL : dot + 1;
    }
    return NULL;
}

static const char *without_www(const char *host)
{
    return strncmp(host, "www.", 4) == 0 ? host + 4 : host;
}

/* Letters, digits, '_' and '-', no hyphen at either end, 1 to 63 bytes. */
static bool is_label(const char *label, size_t len)
{
    if (len == 0 || len > LABEL_BYTES || label[0] == '-' ||
        label[len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '_' &&
            label[i] != '-') {
            return false;
        }
    }
    return true;
}

static bool is_top_label(const char *label)
{
    size_t len = strlen(label);

    if (strncmp(label, "xn--", 4) == 0) {
        return len > 4;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_letter(label[i])) {
            return false;
        }
    }
    return len >= 2;
}

static bool ends_with_name(const char *host, const char *name)
{
    size_t len = strlen(host);
    size_t name_len = strlen(name);

    return len > name_len && strcmp(host + len - name_len, name) == 0;
}

static bool is_public_name(const char *host)
{
    static const char *const local[] = {".local", ".localhost", ".internal",
                                        ".lan", ".home.arpa"};
    const char *last = host;

    for (const char *at = host; at != NULL;) {
        const char *dot = strchr(at, '.');

        if (!is_label(at, dot == NULL ? strlen(at) : (size_t)(dot - at))) {
            return false;
        }
        last = at;
        at = dot == NULL ? NULL : dot + 1;
    }
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        if (ends_with_name(host, local[i])) {
            return false;
        }
    }
    return last != host && is_top_label(last);
}

/* Takes the host out of an authority: without user info, port, trailing dots,
 * folded.  out has SOURCE_HOST_BYTES + 1 bytes; "" when it is too long. */
static void read_authority(const char *text, size_t len, char *out)
{
    const char *at = memrchr(text, '@', len);
    const char *port;

    if (at != NULL) {
        len -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    port = memchr(text, ':', len);
    len = port == NULL ? len : (size_t)(port - text);
    while (len > 0 && text[len - 1] == '.') {
        len--;
    }
    len = len > SOURCE_HOST_BYTES ? 0 : len;
    for (size_t i = 0; i < len; i++) {
        out[i] = lb_text_fold(text[i]);
    }
    out[len] = '\0';
}

static size_t span_until(const char *text, size_t len, const char *stops)
{
    size_t at = 0;

    while (at < len && text[at] != '\0' && strchr(stops, text[at]) == NULL) {
        at++;
    }
    return at;
}

/* Length of "scheme" when text begins with scheme://, else 0. */
static size_t scheme_len(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && (is_letter(lb_text_fold(text[at])) ||
                        (at > 0 && (is_digit(text[at]) || text[at] == '+' ||
                                    text[at] == '-' || text[at] == '.')))) {
        at++;
    }
    return at > 0 && len - at >= 3 && memcmp(text + at, "://", 3) == 0 ? at : 0;
}

static bool is_folded_word(const char *text, size_t len, const char *word)
{
    if (strlen(word) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (lb_text_fold(text[i]) != word[i]) {
            return false;
        }
    }
    return true;
}

static bool is_nothing_word(const char *text, size_t len)
{
    static const char *const words[] = {
        "",         "-",    "null",   "undefined",   "direct",
        "(direct)", "none", "(none)", "about:blank", "about:client"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is_folded_word(text, len, words[i])) {
            return true;
        }
    }
    return false;
}

static bool is_self(const char *host, const struct source_self *self)
{
    const char *bare = without_www(host);

    if (self->url_host != NULL &&
        strcmp(bare, without_www(self->url_host)) == 0) {
        return true;
    }
    if (self->site_id != NULL &&
        strcmp(bare, without_www(self->site_id)) == 0) {
        return true;
    }
    for (size_t i = 0; i < self->host_count; i++) {
        if (strcmp(bare, without_www(self->hosts[i])) == 0) {
            return true;
        }
    }
    return false;
}

static enum lb_err take_app(const char *package,
                            size_t len,
                            struct lb_arena *arena,
                            struct source_referrer *out)
{
    static const char scheme[] = "android-app://";
    const size_t scheme_bytes = sizeof(scheme) - 1;
    char text[SOURCE_STORED_BYTES + 1];

    if (len == 0 || len > SOURCE_STORED_BYTES - scheme_bytes) {
        return LB_OK;
    }
    memcpy(text, scheme, scheme_bytes);
    for (size_t i = 0; i < len; i++) {
        char c = lb_text_fold(package[i]);

        if (!is_letter(c) && !is_digit(c) && c != '_' && c != '.') {
            return LB_OK;
        }
        text[scheme_bytes + i] = c;
    }
    out->stored = lb_arena_text(arena, text, scheme_bytes + len);
    if (out->stored == NULL) {
        return LB_ENOMEM;
    }
    out->host = out->stored + scheme_bytes;
    out->kind = SOURCE_APP;
    return LB_OK;
}

static enum lb_err take_host(const char *host,
                             const char *path,
                             size_t path_len,
                             struct lb_arena *arena,
                             struct source_referrer *out)
{
    char text[SOURCE_STORED_BYTES + 1];
    const char *bare = without_www(host);
    size_t len = strlen(bare);

    memcpy(text, bare, len + 1);
    if (path_len == 1 && path[0] == '/') {
        path_len = 0;
    }
    if (path_len > SOURCE_STORED_BYTES - len) {
        path_len = SOURCE_STORED_BYTES - len;
        while (path_len > 0 && ((unsigned char)path[path_len] & 0xc0) == 0x80) {
            path_len--;
        }
    }
    if (path_len > 0) {
        memcpy(text + len, path, path_len);
        text[len] = '/'; /* a backslash is one to browsers */
    }
    out->host = lb_arena_text(arena, host, strlen(host));
    out->stored = lb_arena_text(arena, text, len + path_len);
    if (out->host == NULL || out->stored == NULL) {
        return LB_ENOMEM;
    }
    out->kind = SOURCE_HOST;
    return LB_OK;
}

/* The part of a referrer after "https://" or "//", or a bare host. */
static enum lb_err read_place(const char *text,
                              size_t len,
                              const struct source_self *self,
                              struct lb_arena *arena,
                              struct source_referrer *out)
{
    char host[SOURCE_HOST_BYTES + 1];
    size_t authority = span_until(text, len, "/?#\\");
    size_t path = span_until(text + authority, len - authority, "?#");

    read_authority(text, authority, host);
    if (!is_public_name(host) || is_self(host, self)) {
        return LB_OK;
    }
    return take_host(host, text + authority, path, arena, out);
}

enum lb_err source_read_referrer(const struct source_table *table,
                                 const char *referrer,
                                 size_t len,
                                 const struct source_self *self,
                                 struct lb_arena *arena,
                                 struct source_referrer *referrer_out)
{
    size_t scheme;
    size_t head;

    memset(referrer_out, 0, sizeof(*referrer_out));
    while (len > 0 && (unsigned char)referrer[0] <= ' ') {
        referrer++;
        len--;
    }
    len = len > SOURCE_REFERRER_BYTES ? SOURCE_REFERRER_BYTES : len;
    while (len > 0 && (unsigned char)referrer[len - 1] <= ' ') {
        len--;
    }
    if (is_nothing_word(referrer, len)) {
        return LB_OK;
    }
    scheme = scheme_len(referrer, len);
    if (scheme > 0) {
        const char *rest = referrer + scheme + 3;
        size_t rest_len = len - scheme - 3;

        if (is_folded_word(referrer, scheme, "android-app")) {
            return take_app(rest, span_until(rest, rest_len, "/?#"), arena,
                            referrer_out);
        }
        if (!is_folded_word(referrer, scheme, "http") &&
            !is_folded_word(referrer, scheme, "https")) {
            return LB_OK;
        }
        return read_place(rest, rest_len, self, arena, referrer_out);
    }
    if (len >= 2 && referrer[0] == '/' && referrer[1] == '/') {
        return read_place(referrer + 2, len - 2, self, arena, referrer_out);
    }
    head = span_until(referrer, len, "/?#\\");
    if (table_find(table, KEY_APP, referrer, head) != NULL) {
        return take_app(referrer, head, arena, referrer_out);
    }
    if (memchr(referrer, '@', head) != NULL) {
        return LB_OK;
    }
    return read_place(referrer, len, self, arena, referrer_out);
}

/* Length of a first label that only names a variant of a site, with its dot; 0:
 * there is none, or it is one of the last two. */
static size_t variant_len(const char *host)
{
    static const char *const labels[] = {"www.", "m.",  "mobile.", "amp.",
                                         "l.",   "lm.", "out."};

    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        size_t len = strlen(labels[i]);

        if (strncmp(host, labels[i], len) == 0) {
            return strchr(host + len, '.') != NULL ? len : 0;
        }
    }
    return 0;
}

/* Drops labels that only name a variant of a site, while two labels remain. */
static const char *strip_host(const char *host)
{
    size_t len;

    while ((len = variant_len(host)) > 0) {
        host += len;
    }
    return host;
}

static const struct source_row *find_name(const struct source_table *table,
                                          const char *name)
{
    return name == NULL ? NULL
                        : table_find(table, KEY_ALIAS, name, strlen(name));
}

static void decide_by_utm(const struct source_table *table,
                          const char *value,
                          struct source_verdict *out)
{
    size_t len = strlen(value);
    char host[SOURCE_HOST_BYTES + 1];

    out->name = value;
    out->row = table_find(table, KEY_PAID_ALIAS, value, len);
    out->is_paid_alias = out->row != NULL;
    if (out->row == NULL) {
        out->row = table_find(table, KEY_ALIAS, value, len);
    }
    if (out->row == NULL) {
        read_authority(value, len, host);
        out->row = is_public_name(host) ? find_host(table, host) : NULL;
    }
    if (out->row != NULL) {
        out->name = out->row->name;
    }
}

static const struct source_row *
row_of_referrer(const struct source_table *table,
                const struct source_referrer *referrer)
{
    switch (referrer->kind) {
    case SOURCE_APP:
        return table_find(table, KEY_APP, referrer->host,
                          strlen(referrer->host));
    case SOURCE_HOST:
        return find_host(table, referrer->host);
    case SOURCE_NOTHING:
        break;
    }
    return NULL;
}

enum lb_err source_decide(const struct source_table *table,
                          const struct utm *utm,
                          const struct source_referrer *referrer,
                          struct lb_arena *arena,
                          struct source_verdict *verdict_out)
{
    const struct click_id *id = utm->click_id;
    const struct source_row *id_row =
        id == NULL ? NULL : find_name(table, id->source);

    memset(verdict_out, 0, sizeof(*verdict_out));
    verdict_out->is_known = true;
    if (utm->value[UTM_SOURCE] != NULL) {
        decide_by_utm(table, utm->value[UTM_SOURCE], verdict_out);
        return LB_OK;
    }
    verdict_out->row = row_of_referrer(table, referrer);
    if (verdict_out->row == NULL && id_row != NULL &&
        (id->kind != CLICK_ID_NONE || referrer->kind == SOURCE_NOTHING)) {
        verdict_out->row = id_row;
    }
    if (verdict_out->row != NULL) {
        verdict_out->name = verdict_out->row->name;
    } else if (referrer->kind == SOURCE_APP) {
        verdict_out->name = referrer->stored;
    } else if (referrer->kind == SOURCE_HOST) {
        const char *bare = strip_host(referrer->host);

        verdict_out->name = lb_arena_text(arena, bare, strlen(bare));
    } else {
        verdict_out->name = SOURCE_DIRECT;
        verdict_out->is_known = false;
    }
    return verdict_out->name == NULL ? LB_ENOMEM : LB_OK;
}

enum lb_err source_url_host(const char *url,
                            size_t len,
                            struct lb_arena *arena,
                            const char **host_out)
{
    char host[SOURCE_HOST_BYTES + 1];
    size_t scheme = scheme_len(url, len);

    *host_out = NULL;
    if (scheme > 0) {
        url += scheme + 3;
        len -= scheme + 3;
    } else if (len >= 2 && url[0] == '/' && url[1] == '/') {
        url += 2;
        len -= 2;
    } else {
        return LB_OK;
    }
    read_authority(url, span_until(url, len, "/?#\\"), host);
    if (host[0] == '\0') {
        return LB_OK;
    }
    *host_out = lb_arena_text(arena, host, strlen(host));
    return *host_out == NULL ? LB_ENOMEM : LB_OK;
}
