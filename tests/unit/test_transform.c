/* test_transform.c - jq programs of destinations, in the processes that run
 * them: this program is their worker, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/reshape.h"
#include "alerts/transform.h"
#include "alerts/transform_worker.h"
#include "base/clock.h"

struct fixture {
    struct transform_workers *workers;
    struct lb_buf out;
    struct lb_error err;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    const struct lb_config config = {.transform_time_ms = 5000,
                                     .transform_bytes = 64 << 20};

    if (transform_workers_new(&config, &fixture.workers, &fixture.err) !=
        LB_OK) {
        return -1;
    }
    lb_buf_init(&fixture.out, (size_t)8 << 20);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    transform_workers_free(fixture->workers);
    lb_buf_deinit(&fixture->out);
    return 0;
}

static enum lb_err
run(struct fixture *fixture, const char *program, const char *text)
{
    return transform_run(fixture->workers, "crm", program, text, &fixture->out,
                         &fixture->err);
}

static void each_input_has_its_outputs(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(run(fixture, "select(.n > 1) | ., {n: (.n * 10)}",
                         "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"),
                     LB_OK);
    assert_string_equal(lb_buf_text(&fixture->out),
                        "\n{\"n\":2}\n{\"n\":20}\n\n{\"n\":3}\n"
                        "{\"n\":30}\n\n");
}

static void a_fault_is_told_and_the_worker_goes_on(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(run(fixture, ".a.b", "{\"a\":{\"b\":{}}}\n"), LB_OK);
    assert_int_equal(run(fixture, ".a.b", "{\"a\":1}\n"), LB_EINVAL);
    assert_non_null(strstr(fixture->err.text, "Cannot index number"));
    assert_int_equal(run(fixture, ".a.b", "{\"a\":{\"b\":{}}}\n"), LB_OK);
    assert_string_equal(lb_buf_text(&fixture->out), "{}\n\n{}\n\n");
}

static void another_program_takes_its_place(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(run(fixture, "{a: 1}", "{}\n"), LB_OK);
    assert_int_equal(run(fixture, "{a: 2}", "{}\n"), LB_OK);
    assert_int_equal(run(fixture, "| %", "{}\n"), LB_EINVAL);
    assert_string_equal(lb_buf_text(&fixture->out),
                        "{\"a\":1}\n\n{\"a\":2}\n\n");
}

static void many_rows_go_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct lb_buf text;
    size_t lines = 0;

    lb_buf_init(&text, (size_t)1 << 20);
    for (int i = 0; i < 5000; i++) {
        lb_buf_printf(&text, "{\"n\":%d}\n", i);
    }
    assert_int_equal(run(fixture, "{m: .n}", lb_buf_text(&text)), LB_OK);
    for (const char *c = lb_buf_text(&fixture->out); *c != '\0'; c++) {
        lines += *c == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, 10000);
    assert_non_null(strstr(lb_buf_text(&fixture->out), "{\"m\":4999}"));
    lb_buf_deinit(&text);
}

static void a_batch_keeps_its_places_and_ids(void **state)
{
    struct fixture *fixture = *state;
    const char *body = "{\"type\":\"event.batch\"}\n"
                       "{\"id\":\"a\",\"t\":1}\n\n"
                       "{\"id\":\"b\",\"t\":0}\n{\"id\":\"c\",\"t\":1}\n";
    cJSON *json = cJSON_Parse(
        "{\"id\":\"crm\",\"type\":\"s3\",\"transform\":\"select(.t==1)|.,.\"}");
    struct destination destination = {.id = "crm", .body = json};
    struct reshaped reshaped;

    assert_int_equal(reshape_batch(fixture->workers, &destination, body,
                                   &reshaped, &fixture->err),
                     LB_OK);
    assert_int_equal(reshaped.count, 4);
    assert_string_equal(reshaped.body,
                        "{\"type\":\"event.batch\"}\n"
                        "{\"id\":\"a\",\"t\":1}\n{\"id\":\"a_2\",\"t\":1}\n"
                        "\n"
                        "{\"id\":\"c\",\"t\":1}\n"
                        "{\"id\":\"c_2\",\"t\":1}\n");
    free(reshaped.body);
    cJSON_Delete(json);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_input_has_its_outputs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_fault_is_told_and_the_worker_goes_on,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_program_takes_its_place, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_rows_go_in_pieces, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_batch_keeps_its_places_and_ids,
                                        set_up, tear_down),
    };

    if (argc > 1 && strcmp(argv[1], TRANSFORM_WORKER_WORD) == 0) {
        return transform_worker_main(argc, argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
