/* fuzz_v2_request.c - bodies of the stats dialect from any bytes: read within
 * the bounds, their filters asked of an event with every text and of one with
 * none; a refusal says why. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/v2_request.h"

#define BUF_BYTES ((size_t)1024 * 1024)
#define NOW_MS INT64_C(1772438400000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct v2_request *request, const struct entry *entry)
{
    struct visit visit = {.marks = 1};
    struct visit_pages pages = {.entry_page = "/"};
    struct lb_buf scratch;
    struct v2_filter_question question = {
        .event = {.entry = entry, .visit = &visit, .pages = &pages},
        .scratch = &scratch};

    lb_buf_init(&scratch, BUF_BYTES);
    for (int side = V2_FILTER_ALL; side <= V2_FILTER_NO_GOAL; side++) {
        bool first;

        question.side = (enum v2_filter_side)side;
        first = v2_filter_matches(request->filter, &question);
        if (first != v2_filter_matches(request->filter, &question)) {
            abort();
        }
    }
    question.side = V2_FILTER_ALL;
    (void)v2_filter_behaviours(request->filter, &question);
    (void)v2_filter_page_goal(request->filter, &question.event);
    for (size_t i = 0; i < request->dimension_count; i++) {
        (void)v2_dimension_value(&request->dimensions[i], &question.event,
                                 &scratch);
    }
    lb_buf_deinit(&scratch);
}

static void read_rest(struct v2_request *request, struct lb_buf *fault)
{
    const struct v2_request_frame frame = {.now_ms = NOW_MS};
    struct entry bare = {.seq = 1};
    struct entry full = {.seq = 2, .type = ENTRY_CLICK};
    struct lb_buf hint;

    lb_buf_init(&hint, BUF_BYTES);
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        full.text[i] = "newsletter";
    }
    full.text[ENTRY_TEXT_PROPS] = "{\"plan\":\"pro\",\"n\":1.5}";
    if (v2_request_read(request, &frame, fault, &hint) != LB_OK) {
        if (fault->len == 0) {
            abort();
        }
    } else {
        if (request->metric_count == 0 || request->order_count == 0 ||
            (request->from_at_ms != INT64_MIN &&
             request->from_at_ms >= request->to_at_ms)) {
            abort();
        }
        ask(request, &bare);
        ask(request, &full);
    }
    lb_buf_deinit(&hint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catalog_site site = {.number = 1, .id = "alice.bio"};
    struct v2_request request = {.json = NULL};
    struct lb_error err;
    struct lb_buf fault;
    char *text = malloc(size + 1);

    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    lb_buf_init(&fault, BUF_BYTES);
    if (lb_zone_find("Europe/Paris", &site.zone, &err) == LB_OK &&
        v2_request_open(text, size, &request, &fault) == LB_OK) {
        request.site = &site;
        if (v2_request_site(&request, &fault) != NULL) {
            read_rest(&request, &fault);
        }
    }
    v2_request_deinit(&request);
    lb_buf_deinit(&fault);
    free(text);
    return 0;
}
