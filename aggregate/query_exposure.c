/* query_exposure.c - views at which a link was there. */
#include "aggregate/query_exposure.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate/query_work.h"
#include "aggregate/tally.h"

struct query_exposure {
    const struct query *query;
    int link_dimension;  /* -1: none */
    bool is_any_limited; /* views count for the rows of no link */
    const char **slugs;  /* owned; links that were not there all the time */
    size_t slug_count;
    struct tally *rows; /* owned */
    int64_t total;
    char key[QUERY_WORK_KEY_BYTES];
};

static bool is_there(const struct catalog_link *link, int64_t at_ms)
{
    return link->created_at_ms <= at_ms &&
           (link->removed_at_ms == 0 || at_ms < link->removed_at_ms);
}

static bool is_always_there(const struct query *query,
                            const struct catalog_link *link)
{
    return link->created_at_ms <= query->from_at_ms &&
           (link->removed_at_ms == 0 || link->removed_at_ms >= query->to_at_ms);
}

static const struct catalog_site *site_at(const struct query *query,
                                          size_t index)
{
    return catalog_site_by_number(query->catalog, query->sites[index]);
}

static bool is_listed(const struct query_exposure *exposure, const char *slug)
{
    for (size_t i = 0; i < exposure->slug_count; i++) {
        if (strcmp(exposure->slugs[i], slug) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_limited_link(const struct query *query, const char *slug)
{
    for (size_t i = 0; i < query->site_count; i++) {
        const struct catalog_site *site = site_at(query, i);
        const struct catalog_link *link =
            site == NULL ? NULL : catalog_link_find(site, slug);

        if (link == NULL || !is_always_there(query, link)) {
            return true;
        }
    }
    return false;
}

static void add_slugs(struct query_exposure *exposure,
                      const struct catalog_site *site)
{
    for (size_t i = 0; i < site->link_count; i++) {
        const char *slug = site->links[i].slug;

        if (is_limited_link(exposure->query, slug) &&
            !is_listed(exposure, slug)) {
            exposure->slugs[exposure->slug_count++] = slug;
        }
    }
}

static bool find_slugs(struct query_exposure *exposure)
{
    const struct query *query = exposure->query;
    size_t links = 0;

    for (size_t i = 0; i < query->site_count; i++) {
        const struct catalog_site *site = site_at(query, i);

        links += site == NULL ? 0 : site->link_count;
    }
    exposure->slugs = calloc(links + 1, sizeof(*exposure->slugs));
    for (size_t i = 0; exposure->slugs != NULL && i < query->site_count; i++) {
        const struct catalog_site *site = site_at(query, i);

        if (site != NULL) {
            add_slugs(exposure, site);
        }
    }
    return exposure->slugs != NULL;
}

/* Whether each site had some link all the time, or never had any. */
static bool has_always_any(const struct query *query)
{
    for (size_t i = 0; i < query->site_count; i++) {
        const struct catalog_site *site = site_at(query, i);
        bool has_any = site == NULL || site->link_count == 0;

        for (size_t j = 0; !has_any && j < site->link_count; j++) {
            has_any = is_always_there(query, &site->links[j]);
        }
        if (!has_any) {
            return false;
        }
    }
    return true;
}

struct query_exposure *query_exposure_new(const struct query *query)
{
    struct query_exposure *exposure = calloc(1, sizeof(*exposure));

    if (exposure == NULL) {
        return NULL;
    }
    exposure->query = query;
    exposure->link_dimension = -1;
    for (size_t i = 0; i < query->dimension_count; i++) {
        if (query->dimensions[i].kind == DIMENSION_TEXT &&
            query->dimensions[i].text == ENTRY_TEXT_LINK) {
            exposure->link_dimension = (int)i;
        }
    }
    exposure->is_any_limited =
        filter_is_of_click(query->filter) || !has_always_any(query);
    exposure->rows = tally_new(QUERY_GROUPS);
    if (exposure->rows == NULL ||
        (exposure->link_dimension >= 0 && !find_slugs(exposure))) {
        query_exposure_free(exposure);
        return NULL;
    }
    return exposure;
}

void query_exposure_free(struct query_exposure *exposure)
{
    if (exposure != NULL) {
        tally_free(exposure->rows);
        free(exposure->slugs);
        free(exposure);
    }
}

bool query_exposure_is_limited(const struct query_exposure *exposure)
{
    return exposure->is_any_limited || exposure->slug_count > 0;
}

/* Whether a link that the filter lets through was there; also where the site
 * has no such link at all. */
static bool is_any_there(const struct query_exposure *exposure,
                         struct query_work *work,
                         const struct entry *view,
                         const struct catalog_site *site)
{
    bool has_any = false;

    for (size_t i = 0; site != NULL && i < site->link_count; i++) {
        const struct catalog_link *link = &site->links[i];

        if (!filter_matches_link(exposure->query->filter, view, site->id,
                                 link->slug, &work->scratch)) {
            continue;
        }
        if (is_there(link, view->ts_at_ms)) {
            return true;
        }
        has_any = true;
    }
    return !has_any;
}

static enum lb_err
add_to_row(struct query_exposure *exposure, const char *key, size_t key_len)
{
    const struct tally_group one = {
        .key = key, .key_len = key_len, .counts = {.views = 1}};

    return tally_merge(exposure->rows, &one);
}

enum lb_err query_exposure_add(struct query_exposure *exposure,
                               struct query_work *work,
                               const struct entry *view,
                               const struct catalog_site *site)
{
    enum lb_err rc = LB_OK;

    if (exposure->is_any_limited && is_any_there(exposure, work, view, site)) {
        exposure->total++;
        if (exposure->link_dimension < 0 &&
            exposure->query->dimension_count > 0) {
            size_t len = query_work_link_key(work, view, site, NULL);

            rc = add_to_row(exposure, work->view_key, len);
        }
    }
    for (size_t i = 0; i < exposure->slug_count && rc == LB_OK; i++) {
        const struct catalog_link *link =
            site == NULL ? NULL : catalog_link_find(site, exposure->slugs[i]);

        if (link != NULL && is_there(link, view->ts_at_ms)) {
            size_t len = query_work_link_key(work, view, site, link->slug);

            rc = add_to_row(exposure, work->view_key, len);
        }
    }
    return rc;
}

/* The row's key without what a view has not, but for the link. */
static size_t make_row_key(const struct query_exposure *exposure,
                           const char *key,
                           const char *end,
                           char *out,
                           const char **slug_out)
{
    const struct query *query = exposure->query;
    size_t used = 0;

    for (size_t i = 0; i < query->dimension_count && key < end; i++) {
        const char *value = key[0] == 'V' ? key + 1 : NULL;
        bool is_link = (int)i == exposure->link_dimension;

        *slug_out = is_link ? value : *slug_out;
        used += query_work_put_value(
            out + used,
            query->dimensions[i].is_of_click && !is_link ? NULL : value);
        key += strlen(key) + 1;
    }
    return used;
}

int64_t query_exposure_of(const struct query_exposure *exposure,
                          const char *key,
                          size_t key_len,
                          int64_t views)
{
    char row_key[QUERY_WORK_KEY_BYTES];
    const struct tally_group *found;
    const char *slug = NULL;
    size_t len;

    if (key == NULL) {
        return exposure->is_any_limited ? exposure->total : views;
    }
    len = make_row_key(exposure, key, key + key_len, row_key, &slug);
    if (exposure->link_dimension >= 0 && slug == NULL) {
        return 0;
    }
    if (exposure->link_dimension >= 0 ? !is_listed(exposure, slug)
                                      : !exposure->is_any_limited) {
        return views;
    }
    found = tally_find(exposure->rows, row_key, len);
    return found == NULL ? 0 : found->counts.views;
}
