/* ip_set.c - networks, sorted and joined. */
#include "base/ip_set.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BYTES 64

struct lb_ip_set {
    struct lb_ip_range *ranges; /* owned; sorted, disjoint once sealed */
    size_t count;
    size_t cap;
};

static enum lb_err add(struct lb_ip_set *set,
                       const struct lb_ip_range *range,
                       struct lb_error *err)
{
    if (set->count == LB_IP_SET_RANGES) {
        return lb_err_set(err, LB_ELIMIT, "more than %d networks",
                          LB_IP_SET_RANGES);
    }
    if (set->count == set->cap) {
        size_t cap = set->cap == 0 ? 16 : set->cap * 2;
        struct lb_ip_range *grown = realloc(set->ranges, cap * sizeof(*grown));

        if (grown == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        set->ranges = grown;
        set->cap = cap;
    }
    set->ranges[set->count++] = *range;
    return LB_OK;
}

static int compare_ranges(const void *a, const void *b)
{
    return lb_ip_compare(&((const struct lb_ip_range *)a)->first,
                         &((const struct lb_ip_range *)b)->first);
}

/* Sorts, and joins what overlaps, so that a search needs one look. */
static void seal(struct lb_ip_set *set)
{
    size_t kept = 0;

    if (set->count == 0) {
        return;
    }
    qsort(set->ranges, set->count, sizeof(*set->ranges), compare_ranges);
    for (size_t i = 1; i < set->count; i++) {
        struct lb_ip_range *before = &set->ranges[kept];
        const struct lb_ip_range *range = &set->ranges[i];

        if (!lb_ip_is_within(&range->first, before)) {
            set->ranges[++kept] = *range;
        } else if (lb_ip_compare(&range->last, &before->last) > 0) {
            before->last = range->last;
        }
    }
    set->count = kept + 1;
}

enum lb_err lb_ip_set_new(const char *const *networks,
                          size_t count,
                          struct lb_ip_set **set_out,
                          struct lb_error *err)
{
    struct lb_ip_set *set = calloc(1, sizeof(*set));
    enum lb_err rc = LB_OK;

    *set_out = NULL;
    if (set == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        struct lb_ip_range range;

        rc = lb_ip_parse_range(networks[i], &range)
                 ? add(set, &range, err)
                 : lb_err_set(err, LB_EINVAL,
                              "\"%.60s\" is no address or network; write it "
                              "like 10.0.0.0/8 or 2001:db8::/32",
                              networks[i]);
    }
    if (rc != LB_OK) {
        lb_ip_set_free(set);
        return rc;
    }
    seal(set);
    *set_out = set;
    return LB_OK;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line without its end. */
static enum lb_err add_line(struct lb_ip_set *set,
                            const char *line,
                            size_t len,
                            size_t number,
                            struct lb_error *err)
{
    const char *hash = memchr(line, '#', len);
    struct lb_ip_range range;
    char word[WORD_BYTES];

    len = hash == NULL ? len : (size_t)(hash - line);
    while (len > 0 && is_space(line[len - 1])) {
        len--;
    }
    while (len > 0 && is_space(line[0])) {
        line++;
        len--;
    }
    if (len == 0) {
        return LB_OK;
    }
    if (len < sizeof(word) && memchr(line, '\0', len) == NULL) {
        memcpy(word, line, len);
        word[len] = '\0';
        if (lb_ip_parse_range(word, &range)) {
            return add(set, &range, err);
        }
    }
    return lb_err_set(err, LB_EFORMAT,
                      "line %zu is no address or network; write one a line, "
                      "like 10.0.0.0/8 or 2001:db8::/32",
                      number);
}

enum lb_err lb_ip_set_parse(const char *text,
                            size_t len,
                            struct lb_ip_set **set_out,
                            struct lb_error *err)
{
    struct lb_ip_set *set = calloc(1, sizeof(*set));
    enum lb_err rc = LB_OK;
    size_t at = 0;

    *set_out = NULL;
    if (set == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t number = 1; at < len && rc == LB_OK; number++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line = end == NULL ? len - at : (size_t)(end - text) - at;

        rc = add_line(set, text + at, line, number, err);
        at += line + 1;
    }
    if (rc != LB_OK) {
        lb_ip_set_free(set);
        return rc;
    }
    seal(set);
    *set_out = set;
    return LB_OK;
}

void lb_ip_set_free(struct lb_ip_set *set)
{
    if (set != NULL) {
        free(set->ranges);
        free(set);
    }
}

bool lb_ip_set_contains(const struct lb_ip_set *set, const struct lb_ip *ip)
{
    size_t low = 0;
    size_t high = set == NULL ? 0 : set->count;

    /* The last range that begins at or before ip. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (lb_ip_compare(&set->ranges[middle].first, ip) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && lb_ip_is_within(ip, &set->ranges[low - 1]);
}

size_t lb_ip_set_count(const struct lb_ip_set *set)
{
    return set == NULL ? 0 : set->count;
}
