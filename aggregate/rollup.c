/* rollup.c - the arithmetic of counting. */
#include "aggregate/rollup.h"

#include <math.h>

void rollup_add(struct rollup_counts *counts, const struct entry *entry)
{
    rollup_add_many(counts, entry, 1);
}

void rollup_add_many(struct rollup_counts *counts,
                     const struct entry *entry,
                     int64_t count)
{
    counts->events += count;
    switch (entry->type) {
    case ENTRY_VIEW:
        counts->views += count;
        break;
    case ENTRY_CLICK:
        counts->clicks_raw += count;
        counts->clicks += entry->is_double_tap ? 0 : count;
        counts->orphan_clicks += entry->is_orphan ? count : 0;
        break;
    case ENTRY_LEAD:
        counts->leads += count;
        break;
    case ENTRY_CONVERSION:
        counts->conversions += count;
        break;
    }
}

void rollup_merge(struct rollup_counts *counts,
                  const struct rollup_counts *more)
{
    counts->events += more->events;
    counts->views += more->views;
    counts->clicks_raw += more->clicks_raw;
    counts->clicks += more->clicks;
    counts->leads += more->leads;
    counts->conversions += more->conversions;
    counts->orphan_clicks += more->orphan_clicks;
}

int64_t rollup_bucket(int64_t at_ms)
{
    return at_ms / ROLLUP_BUCKET_MS - (at_ms % ROLLUP_BUCKET_MS < 0 ? 1 : 0);
}

void rollup_wilson(double hits, double n, double *low_out, double *high_out)
{
    const double z =
        1.959963984540054; /* 97.5 % point of the normal distribution */
    double share = hits / n;
    double middle = share + z * z / (2 * n);
    double spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    double scale = 1 + z * z / n;

    *low_out = fmax(0, (middle - spread) / scale);
    *high_out = fmin(1, (middle + spread) / scale);
}
