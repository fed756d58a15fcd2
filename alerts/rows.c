/* rows.c - events of a stream on their way out. */
#include "alerts/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/json.h"

#define GZIP_LEVEL 6
#define GZIP_WINDOW (15 + 16) /* 16: with gzip's header and trailer */
#define NAME_BYTES 80

static void add_member(struct lb_buf *out, const char *name, const cJSON *item)
{
    lb_json_add_key(out, name);
    lb_json_add_item(out, item);
}

static void add_props(struct lb_buf *out, const cJSON *props)
{
    char *text = cJSON_PrintUnformatted(props);

    if (text == NULL) {
        out->is_failed = true;
        return;
    }
    lb_json_add_key(out, "props");
    lb_json_add_plain_string(out, text);
    free(text);
}

static void add_nested(struct lb_buf *out, const cJSON *object)
{
    char name[NAME_BYTES];
    const cJSON *item;

    cJSON_ArrayForEach (item, object) {
        (void)snprintf(name, sizeof(name), "%.40s_%.30s", object->string,
                       item->string);
        add_member(out, name, item);
    }
}

/* Objects in other rows, flattened there. */
static bool is_left_out(const cJSON *item)
{
    return cJSON_IsNull(item) && (strcmp(item->string, "value") == 0 ||
                                  strcmp(item->string, "contact") == 0);
}

enum lb_err rows_add_flat(const char *line, struct lb_buf *out)
{
    cJSON *row = cJSON_Parse(line);
    const cJSON *item;

    if (!cJSON_IsObject(row)) {
        cJSON_Delete(row);
        return LB_EFORMAT;
    }
    lb_buf_add_char(out, '{');
    cJSON_ArrayForEach (item, row) {
        if (strcmp(item->string, "props") == 0) {
            add_props(out, item);
        } else if (is_left_out(item)) {
            continue; /* else there would be a column of that name, too */
        } else if (cJSON_IsObject(item)) {
            add_nested(out, item);
        } else {
            add_member(out, item->string, item);
        }
    }
    lb_buf_add_char(out, '}');
    cJSON_Delete(row);
    return out->is_failed ? LB_ENOMEM : LB_OK;
}

enum lb_err rows_add_gzip(const char *text, size_t len, struct lb_buf *out)
{
    z_stream stream = {0};
    enum lb_err rc = LB_ENOMEM;
    size_t bound;

    if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return LB_ENOMEM;
    }
    bound = deflateBound(&stream, (uLong)len);
    if (bound <= UINT32_MAX && lb_buf_reserve(out, bound) == LB_OK) {
        stream.next_in = (const Bytef *)text;
        stream.avail_in = (uInt)len;
        stream.next_out = (Bytef *)out->data + out->len;
        stream.avail_out = (uInt)bound;
        if (deflate(&stream, Z_FINISH) == Z_STREAM_END) {
            out->len += stream.total_out;
            rc = LB_OK;
        }
    }
    (void)deflateEnd(&stream);
    return rc;
}
