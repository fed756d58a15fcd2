/* v2_exposure.c - views at which a link was there. */
#include "aggregate/v2_exposure.h"

#include <stdlib.h>

#include "aggregate/tally.h"

struct v2_exposure {
    const struct v2_request *request;
    bool is_by_link;
    int64_t total;
    struct tally *rows; /* owned */
};

struct v2_exposure *v2_exposure_new(const struct v2_request *request)
{
    struct v2_exposure *exposure = calloc(1, sizeof(*exposure));

    if (exposure == NULL) {
        return NULL;
    }
    exposure->request = request;
    exposure->is_by_link = v2_request_has_dimension(request, V2_DIMENSION_LINK);
    exposure->rows = tally_new(QUERY_GROUPS);
    if (exposure->rows == NULL) {
        free(exposure);
        return NULL;
    }
    return exposure;
}

void v2_exposure_free(struct v2_exposure *exposure)
{
    if (exposure != NULL) {
        tally_free(exposure->rows);
        free(exposure);
    }
}

static bool is_there(const struct catalog_link *link, int64_t at_ms)
{
    return link->created_at_ms <= at_ms &&
           (link->removed_at_ms == 0 || at_ms < link->removed_at_ms);
}

/* Whether the link was there all through the range: its views say it all. */
static bool is_always_there(const struct v2_request *request,
                            const struct catalog_link *link)
{
    return link->created_at_ms <= request->from_at_ms &&
           (link->removed_at_ms == 0 ||
            link->removed_at_ms >= request->to_at_ms);
}

/* Whether a link that the filter lets through was there; also where there is no
 * such link at all. */
static bool is_any_there(const struct v2_exposure *exposure,
                         const struct v2_filter_question *question)
{
    const struct catalog_site *site = exposure->request->site;
    struct v2_filter_question of_link = *question;
    bool has_any = false;

    for (size_t i = 0; i < site->link_count; i++) {
        of_link.slug = site->links[i].slug;
        if (!v2_filter_matches(exposure->request->filter, &of_link)) {
            continue;
        }
        if (is_there(&site->links[i], question->event.entry->ts_at_ms)) {
            return true;
        }
        has_any = true;
    }
    return !has_any;
}

static enum lb_err add_to_row(struct v2_exposure *exposure,
                              const struct v2_exposure_keys *keys,
                              const char *slug)
{
    struct tally_group one = {.counts = {.views = 1}};

    one.key_len = keys->make(keys->ctx, slug, &one.key);
    return one.key_len == 0 ? LB_OK : tally_merge(exposure->rows, &one);
}

enum lb_err v2_exposure_add(struct v2_exposure *exposure,
                            const struct v2_filter_question *question,
                            const struct v2_exposure_keys *keys)
{
    const struct v2_request *request = exposure->request;
    enum lb_err rc = LB_OK;

    if (is_any_there(exposure, question)) {
        exposure->total++;
        if (!exposure->is_by_link) {
            rc = add_to_row(exposure, keys, NULL);
        }
    }
    for (size_t i = 0;
         exposure->is_by_link && rc == LB_OK && i < request->site->link_count;
         i++) {
        const struct catalog_link *link = &request->site->links[i];

        if (!is_always_there(request, link) &&
            is_there(link, question->event.entry->ts_at_ms)) {
            rc = add_to_row(exposure, keys, link->slug);
        }
    }
    return rc;
}

int64_t v2_exposure_of(const struct v2_exposure *exposure,
                       const struct v2_exposure_row *row)
{
    const struct tally_group *found;

    if (row->key == NULL) {
        return exposure->total;
    }
    if (exposure->is_by_link) {
        const struct catalog_link *link =
            catalog_link_find(exposure->request->site, row->slug);

        if (link == NULL || is_always_there(exposure->request, link)) {
            return row->views;
        }
    }
    found = tally_find(exposure->rows, row->key, row->key_len);
    return found == NULL ? 0 : found->counts.views;
}
