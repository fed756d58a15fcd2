/* gaps.c - the log's account of time. */
#include "alerts/gaps.h"

#include <string.h>

void gaps_add(struct gaps *gaps, int64_t from_ms, int64_t to_ms)
{
    if (gaps->count > 0 && from_ms < gaps->at[gaps->count - 1].to_ms) {
        from_ms = gaps->at[gaps->count - 1].to_ms;
    }
    if (from_ms >= to_ms) {
        return;
    }
    if (gaps->count == GAPS_MAX) {
        memmove(&gaps->at[0], &gaps->at[1],
                (GAPS_MAX - 1) * sizeof(gaps->at[0]));
        gaps->count--;
    }
    gaps->at[gaps->count].from_ms = from_ms;
    gaps->at[gaps->count].to_ms = to_ms;
    gaps->count++;
}

void gaps_set_back(struct gaps *gaps,
                   int64_t seq,
                   int64_t from_ms,
                   int64_t to_ms)
{
    while (gaps->count > 0 && gaps->at[gaps->count - 1].from_ms >= to_ms) {
        gaps->count--;
    }
    if (gaps->count > 0 && gaps->at[gaps->count - 1].to_ms > to_ms) {
        gaps->at[gaps->count - 1].to_ms = to_ms;
    }
    if (gaps->back_count == GAPS_BACKS_MAX) {
        memmove(&gaps->backs[0], &gaps->backs[1],
                (GAPS_BACKS_MAX - 1) * sizeof(gaps->backs[0]));
        gaps->back_count--;
    }
    gaps->backs[gaps->back_count].seq = seq;
    gaps->backs[gaps->back_count].from_ms = from_ms;
    gaps->backs[gaps->back_count].to_ms = to_ms;
    gaps->back_count++;
}

int64_t gaps_deaf_ms(const struct gaps *gaps, int64_t from_ms, int64_t to_ms)
{
    int64_t deaf_ms = 0;

    for (size_t i = gaps->count; i > 0 && gaps->at[i - 1].to_ms > from_ms;
         i--) {
        int64_t begin_ms = gaps->at[i - 1].from_ms;
        int64_t end_ms = gaps->at[i - 1].to_ms;

        begin_ms = begin_ms < from_ms ? from_ms : begin_ms;
        end_ms = end_ms > to_ms ? to_ms : end_ms;
        deaf_ms += begin_ms < end_ms ? end_ms - begin_ms : 0;
    }
    return deaf_ms;
}

int64_t gaps_oldest(const struct gaps *gaps, int64_t at_ms, int64_t length_ms)
{
    int64_t end_ms = at_ms + 1;

    for (size_t i = gaps->count; i > 0; i--) {
        int64_t from_ms = gaps->at[i - 1].from_ms;
        int64_t to_ms = gaps->at[i - 1].to_ms;

        if (from_ms >= end_ms) {
            continue; /* later than at_ms */
        }
        to_ms = to_ms > end_ms ? end_ms : to_ms;
        if (end_ms - to_ms >= length_ms) {
            break;
        }
        length_ms -= end_ms - to_ms;
        end_ms = from_ms;
    }
    return end_ms - length_ms;
}
