/* test_template.c - a rule's own words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/template.h"

static void paths_become_values_and_nothing_else_happens(void **state)
{
    static const char *const data =
        "{\"summary\":\"5 > 3\",\"value\":12.5,\"site\":\"a.b\",\"event\":{"
        "\"contact\":{\"name\":\"Zo\xc3\xab {{site}}\"},\"qr\":true,\"props\":{"
        "\"a.b\":\"dot\",\"plan\":\"gold\"},\"utm\":null},\"group\":{"
        "\"prop:x.y\":\"z\",\"link\":null}}";
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"plain", "plain"},
        {"{{summary}}", "5 > 3"},
        {"a {{ value }} b", "a 12.5 b"},
        {"{{event.contact.name}}!", "Zo\xc3\xab {{site}}!"}, /* once */
        {"{{event.qr}}", "true"},
        {"{{event.props.a.b}} {{event.props.plan}}", "dot gold"},
        {"{{group.prop:x.y}}", "z"},
        {"[{{group.link}}{{nothing}}{{event.none.x}}{{event.utm}}]", "[]"},
        {"{{value}}{{value}}", "12.512.5"},
        {"{ {{site}} }", "{ a.b }"},
        {"{{open", "{{open"},
        {"}} {{", "}} {{"},
        {"{{}}", ""},
    };
    cJSON *json = cJSON_Parse(data);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lb_buf out;

        print_message("%s\n", rows[i].text);
        lb_buf_init(&out, 4096);
        template_render(rows[i].text, json, &out);
        assert_string_equal(lb_buf_text(&out), rows[i].want);
        lb_buf_deinit(&out);
    }
    cJSON_Delete(json);
}

static void a_path_that_can_t_exist_is_a_fault(void **state)
{
    static const struct {
        const char *rule;
        const char *fault; /* NULL: there is none */
    } rows[] = {
        {"kind: event, template: \"{{event.contact.name}} {{summary}}\"", NULL},
        {"kind: event, template: \"{{event.props.anything.else}}\"", NULL},
        {"kind: threshold, template: \"{{value}} {{window.from}}\"", NULL},
        {"kind: ctr, template: \"{{expected}} {{probability}}\"", NULL},
        {"kind: threshold, per: [link], template: \"{{group.link}}\"", NULL},
        {"kind: threshold, per: link, template: \"{{group.link}}\"", NULL},
        {"kind: first_seen, key: [page], template: \"{{group.page}}\"", NULL},
        {"kind: threshold, template: \"{{group.link}}\"", "group.link"},
        {"kind: threshold, template: \"{{event.id}}\"", "event.id"},
        {"kind: event, template: \"{{value}}\"", "value"},
        {"kind: milestone, template: \"{{window.to}}\"", "window.to"},
        {"kind: threshold, template: \"{{expected}}\"", "expected"},
        {"kind: not_pulled, template: \"{{value}}\"", "value"},
        {"kind: event, template: \"{{sumary}}\"", "did you mean summary?"},
        {"kind: event, template: \"{{event.contact.mail}}\"",
         "did you mean event.contact.email?"},
        {"kind: event, template: \"{{event.props.}}\"", "event.props."},
        {"kind: event, template: \"{{}}\"", "has no \"\""},
        {"kind: event, template: \"{{summary\"", "no \"}}\""},
        {"kind: event, template: \"\"", "1 to 1000"},
        {"kind: event, template: [a]", "1 to 1000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lb_config_faults faults;
        struct lb_yaml *root = NULL;
        struct lb_error err;
        char text[200];

        print_message("%s\n", rows[i].rule);
        (void)snprintf(text, sizeof(text), "{ %s }\n", rows[i].rule);
        assert_int_equal(lb_yaml_parse(text, strlen(text), &root, &err), LB_OK);
        lb_config_faults_init(&faults);
        template_check(lb_yaml_find(root, "template"), root, &faults);
        if (rows[i].fault == NULL) {
            assert_int_equal(faults.lines.len, 0);
        } else {
            print_message("  %s\n", lb_buf_text(&faults.lines));
            assert_non_null(strstr(lb_buf_text(&faults.lines), rows[i].fault));
        }
        lb_config_faults_deinit(&faults);
        lb_yaml_free(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_become_values_and_nothing_else_happens),
        cmocka_unit_test(a_path_that_can_t_exist_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
