/* stream_check.c - faults of the key `stream` of a destination. */
#include <string.h>

#include "aggregate/filter.h"
#include "alerts/stream.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/zone.h"

static const char *text_of(const struct lb_yaml *node)
{
    return node != NULL && node->kind == LB_YAML_SCALAR ? node->text : NULL;
}

static void check_types(const struct lb_yaml *stream,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *types = lb_yaml_find(stream, "types");
    enum entry_type type;

    if (types == NULL || types->kind != LB_YAML_LIST || types->child == NULL) {
        lb_config_fault(faults, types == NULL ? stream->line : types->line,
                        types == NULL ? stream->column : types->column,
                        "stream.types",
                        "must be a list, such as [click, lead] or [all]");
        return;
    }
    for (const struct lb_yaml *item = types->child; item != NULL;
         item = item->next) {
        if (text_of(item) == NULL ||
            (strcmp(item->text, "all") != 0 &&
             !entry_type_from_name(item->text, &type))) {
            lb_config_fault(faults, item->line, item->column, "stream.types",
                            "is none of view, click, lead, conversion and all");
        }
    }
}

static void check_filter(const struct lb_yaml *stream,
                         struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(stream, "filter");
    struct filter *filter = NULL;
    struct lb_error err = {LB_OK, "must be a text"};

    if (node != NULL &&
        (text_of(node) == NULL ||
         filter_parse(node->text, false, &filter, &err) != LB_OK)) {
        lb_config_fault(faults, node->line, node->column, "stream.filter", "%s",
                        err.text);
    }
    filter_free(filter);
}

static void check_numbers(const struct lb_yaml *stream,
                          const struct destination_type *type,
                          struct lb_config_faults *faults)
{
    const struct lb_yaml *rows = lb_yaml_find(stream, "max_rows");
    const struct lb_yaml *wait = lb_yaml_find(stream, "max_wait");
    const struct lb_yaml *from = lb_yaml_find(stream, "from");
    long long number = 0;
    int64_t ms = 0;

    if (rows != NULL &&
        (text_of(rows) == NULL || !lb_text_to_int(rows->text, &number) ||
         number < 1 || number > (long long)type->stream_rows)) {
        lb_config_fault(faults, rows->line, rows->column, "stream.max_rows",
                        "must be a number from 1 to %zu", type->stream_rows);
    }
    if (wait != NULL &&
        (text_of(wait) == NULL || !lb_config_parse_duration(wait->text, &ms) ||
         ms > LB_MS_PER_DAY)) {
        lb_config_fault(faults, wait->line, wait->column, "stream.max_wait",
                        "must be a duration such as 5s or 15m, a day at most");
    }
    if (from != NULL &&
        (text_of(from) == NULL ||
         (strcmp(from->text, "now") != 0 && strcmp(from->text, "start") != 0 &&
          !lb_zone_parse_instant(from->text, &ms)))) {
        lb_config_fault(faults, from->line, from->column, "stream.from",
                        "must be now, start or an RFC 3339 instant");
    }
}

void stream_check(const struct lb_yaml *destination,
                  const struct destination_type *type,
                  struct lb_config_faults *faults)
{
    static const char *const keys[] = {
        "types", "sites", "filter", "max_rows", "max_wait", "from", NULL};
    const struct lb_yaml *stream = lb_yaml_find(destination, "stream");
    const struct lb_yaml *sites;

    if (stream == NULL) {
        return;
    }
    if (type->stream_rows == 0) {
        lb_config_fault(faults, stream->key_line, stream->key_column, "stream",
                        "is for destinations of type csv, redis_stream, sqs, "
                        "clickhouse, s3 and webhook");
        return;
    }
    if (stream->kind != LB_YAML_MAP) {
        lb_config_fault(faults, stream->line, stream->column, "stream",
                        "must be a map, such as { types: [lead] }");
        return;
    }
    for (const struct lb_yaml *node = stream->child; node != NULL;
         node = node->next) {
        size_t i = 0;

        while (keys[i] != NULL && strcmp(keys[i], node->key) != 0) {
            i++;
        }
        if (keys[i] == NULL) {
            lb_config_fault(faults, node->key_line, node->key_column, node->key,
                            "is no key of a stream");
        }
    }
    sites = lb_yaml_find(stream, "sites");
    if (sites != NULL && sites->kind != LB_YAML_LIST) {
        lb_config_fault(faults, sites->line, sites->column, "stream.sites",
                        "must be a list of sites, such as [\"alice.*\"]");
    }
    check_types(stream, faults);
    check_filter(stream, faults);
    check_numbers(stream, type, faults);
}
