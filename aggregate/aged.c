/* aged.c - what an answer says of events that are gone. */
#include "aggregate/aged.h"

#include "base/json.h"

int64_t aged_before_ms(const struct catalog *catalog,
                       const int64_t *sites,
                       size_t site_count,
                       int64_t from_at_ms)
{
    int64_t before_ms = 0;

    for (size_t i = 0; i < site_count; i++) {
        const struct catalog_site *site =
            catalog_site_by_number(catalog, sites[i]);

        if (site != NULL && from_at_ms < site->horizon_at_ms &&
            before_ms < site->horizon_at_ms) {
            before_ms = site->horizon_at_ms;
        }
    }
    return before_ms;
}

void aged_add_warning(struct lb_buf *out,
                      const struct lb_zone *zone,
                      int64_t before_ms)
{
    char day[LB_ZONE_DAY_BYTES];

    if (before_ms == 0) {
        return;
    }
    lb_json_add_comma(out);
    lb_zone_format_day(lb_zone_local_day(zone, before_ms), day);
    lb_buf_printf(out,
                  "{\"code\":\"aged_out\",\"message\":\"Events before %s have "
                  "aged out (privacy.retention); what only they can answer is "
                  "counted from that day on.\"}",
                  day);
}
