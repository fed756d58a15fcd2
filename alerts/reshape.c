/* reshape.c - what a destination's transform makes of a message. */
#include "alerts/reshape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/facts.h"
#include "base/json.h"

#define MESSAGE_BYTES ((size_t)64 * 1024 * 1024)
#define BATCH_BYTES ((size_t)128 * 1024 * 1024)
#define ROW_ID_BYTES 160

const char *reshape_program(const struct destination *destination)
{
    return lb_json_text(destination->body, "transform");
}

static enum lb_err no_memory(struct lb_error *err)
{
    return lb_err_set(err, LB_EIO, "out of memory");
}

static enum lb_err run(struct transform_workers *workers,
                       const struct destination *destination,
                       const struct lb_buf *input,
                       struct lb_buf *output,
                       struct lb_error *err)
{
    enum lb_err rc = input->is_failed
                         ? no_memory(err)
                         : transform_run(workers, destination->id,
                                         reshape_program(destination),
                                         lb_buf_text(input), output, err);

    return rc == LB_OK && output->is_failed ? no_memory(err) : rc;
}

/* --- a message
 * ------------------------------------------------------------------------ */

static void pick(const char *outputs, int64_t part, struct reshaped *out)
{
    while (*outputs != '\0' && *outputs != '\n') {
        size_t len = strcspn(outputs, "\n");

        if ((int64_t)++out->count == part) {
            out->body = strndup(outputs, len);
        }
        outputs += len + (outputs[len] == '\n' ? 1 : 0);
    }
}

enum lb_err reshape_message(struct transform_workers *workers,
                            const struct destination *destination,
                            const char *body,
                            int64_t part,
                            struct reshaped *out,
                            struct lb_error *err)
{
    cJSON *json = cJSON_Parse(body);
    struct lb_buf input;
    struct lb_buf output;
    enum lb_err rc;

    *out = (struct reshaped){NULL, 0};
    if (json == NULL) {
        return lb_err_set(err, LB_EINVAL, "the stored message is damaged");
    }
    facts_narrow(destination, json);
    lb_buf_init(&input, MESSAGE_BYTES);
    lb_buf_init(&output, MESSAGE_BYTES);
    lb_json_add_item(&input, json);
    lb_buf_add_char(&input, '\n');
    rc = run(workers, destination, &input, &output, err);
    if (rc == LB_OK) {
        pick(lb_buf_text(&output), part, out);
    }
    lb_buf_deinit(&input);
    lb_buf_deinit(&output);
    cJSON_Delete(json);
    return rc;
}

/* --- a batch
 * ------------------------------------------------------------------------ */

/* Adds an output of a row; number is from 1. */
static void
add_row(struct lb_buf *out, const char *line, size_t len, size_t number)
{
    char id[ROW_ID_BYTES];
    cJSON *json = number == 1 ? NULL : cJSON_ParseWithLength(line, len);
    const char *own = lb_json_text(json, "id");

    if (own == NULL) {
        lb_buf_add(out, line, len);
    } else {
        (void)snprintf(id, sizeof(id), "%.140s_%zu", own, number);
        (void)cJSON_ReplaceItemInObjectCaseSensitive(json, "id",
                                                     cJSON_CreateString(id));
        lb_json_add_item(out, json);
    }
    lb_buf_add_char(out, '\n');
    cJSON_Delete(json);
}

/* Puts the outputs where their rows stand; the empty lines between places stay.
 */
static void put_rows(const char *rows,
                     const char *outputs,
                     struct lb_buf *out,
                     size_t *count)
{
    while (*rows != '\0') {
        size_t len = strcspn(rows, "\n");
        size_t number = 0;

        while (len > 0 && *outputs != '\n' && *outputs != '\0') {
            size_t output_len = strcspn(outputs, "\n");

            add_row(out, outputs, output_len, ++number);
            outputs += output_len + 1;
        }
        outputs += len > 0 && *outputs == '\n' ? 1 : 0;
        *count += number;
        if (len == 0) {
            lb_buf_add_char(out, '\n');
        }
        rows += len + (rows[len] == '\n' ? 1 : 0);
    }
}

static void add_filled_lines(struct lb_buf *out, const char *rows)
{
    while (*rows != '\0') {
        size_t len = strcspn(rows, "\n");

        if (len > 0) {
            lb_buf_add(out, rows, len);
            lb_buf_add_char(out, '\n');
        }
        rows += len + (rows[len] == '\n' ? 1 : 0);
    }
}

enum lb_err reshape_batch(struct transform_workers *workers,
                          const struct destination *destination,
                          const char *body,
                          struct reshaped *out,
                          struct lb_error *err)
{
    size_t head_len = strcspn(body, "\n");
    const char *rows = body + head_len + (body[head_len] == '\n' ? 1 : 0);
    struct lb_buf input;
    struct lb_buf output;
    struct lb_buf made;
    enum lb_err rc;

    *out = (struct reshaped){NULL, 0};
    lb_buf_init(&input, BATCH_BYTES);
    lb_buf_init(&output, BATCH_BYTES);
    lb_buf_init(&made, BATCH_BYTES);
    add_filled_lines(&input, rows);
    rc = run(workers, destination, &input, &output, err);
    if (rc == LB_OK) {
        lb_buf_add(&made, body, head_len);
        lb_buf_add_char(&made, '\n');
        put_rows(rows, lb_buf_text(&output), &made, &out->count);
        out->body = lb_buf_take(&made);
        rc = out->body == NULL ? no_memory(err) : LB_OK;
    }
    lb_buf_deinit(&input);
    lb_buf_deinit(&output);
    lb_buf_deinit(&made);
    return rc;
}
