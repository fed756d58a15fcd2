/* test_hook_check.c - each fault of an inbound source, where it stands and what
 * it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/hook_check.h"
#include "tests/support/temp_dir.h"

#define HEAD "sites: [{ id: alice.bio }]\nsources:\n"
#define ID "  - { id: s, site: alice.bio, "
#define MAP ", map: { type: lead } }\n"
#define WHSEC "whsec_Z3Tfz3r8CJtu21sBCHuhVYJy24XFsfE/Z2+rYdMneig="

/* The faults of the one source of a file, a line each. */
static void check(const char *text, char *out, size_t out_bytes)
{
    struct lb_config_faults faults;
    struct lb_yaml *root = NULL;
    struct lb_error err = {LB_OK, ""};

    lb_config_faults_init(&faults);
    if (lb_yaml_parse(text, strlen(text), &root, &err) != LB_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    hook_check(lb_yaml_find(root, "sources")->child, root, &faults);
    (void)snprintf(out, out_bytes, "%s", lb_buf_text(&faults.lines));
    lb_yaml_free(root);
    lb_config_faults_deinit(&faults);
}

static void expect(const char *text, const char *want)
{
    char faults[4096];

    check(text, faults, sizeof(faults));
    if (want == NULL ? faults[0] != '\0' : strstr(faults, want) == NULL) {
        fail_msg("%s\nsays:\n%s\nand not: %s", text, faults,
                 want == NULL ? "nothing" : want);
    }
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static int set_up(void **state)
{
    (void)state;
    set("HOOK_ONE", "a secret");
    set("HOOK_LONG", "Zq3vN8tK2xW7bR5mD9cF4hJ6");
    set("HOOK_SHORT", "Zq3vN8tK2xW7bR5mD9cF4hJ");
    set("HOOK_WHSEC", WHSEC);
    set("HOOK_BLANK", " \t");
    set("HOOK_THREE", "one\ntwo\nthree");
    (void)unsetenv("HOOK_NONE");
    return 0;
}

static void sources_that_are_well_have_no_fault(void **state)
{
    static const char *const texts[] = {
        HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE] }\n",
        HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE, HOOK_LONG], encoding: "
                "auto, dedupe: leads, daily_cap: 1000 }\n",
        HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], dedupe: \"off\" }\n",
        HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], dedupe: off }\n",
        HEAD ID "kind: linkmi, secrets_env: [HOOK_NONE], daily_cap: 0 }\n",
        HEAD ID "kind: linkme, secrets_env: [HOOK_ONE] }\n",
        HEAD ID "kind: dub, secrets_env: [HOOK_ONE], header: X-Dub }\n",
        HEAD ID "kind: bitly, secrets_env: [HOOK_LONG] }\n",
        HEAD ID "kind: bitly, scheme: header, header: Authorization, "
                "secrets_env: [HOOK_ONE] }\n",
        HEAD ID "kind: generic, scheme: standard, secrets_env: [HOOK_WHSEC], "
                "tolerance: 30s" MAP,
        HEAD ID "kind: generic, scheme: hmac, header: X-Sign, "
                "timestamp_header: X-Time, tolerance: 1m, encoding: sha256=hex"
                ", secrets_env: [HOOK_ONE]" MAP,
        HEAD ID "kind: generic, scheme: none, allow_unsigned: true" MAP,
        "server: { listen: \"[::1]:80\" }\n" HEAD ID
        "kind: generic, scheme: none, allow_unsigned: true" MAP,
        HEAD ID
        "kind: generic, scheme: url_secret, secrets_env: [HOOK_LONG], "
        "each: $.items, map: { type: { path: $.event, is: { "
        "\"form.sent\": lead, x: view } }, link: \"$.a.b[0].c\", ts: $.at, "
        "value.amount: 5, props.plan: $.p, contact.email: $.m } }\n",
        HEAD ID "kind: generic, scheme: url_secret, secrets_env: [HOOK_LONG], "
                "map: { type: $.type, utm.source: \"$5 off\" } }\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect(texts[i], NULL);
    }
}

static void a_fault_names_its_place_and_what_would_be_right(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {HEAD "  - { id: s, site: alice.bio }\n", "3:5: kind: is missing"},
        {HEAD ID "kind: linkm, secrets_env: [A] }\n",
         "3:37: kind: \"linkm\" is none of linkmi, linkme, dub, bitly, "
         "generic; did you mean linkmi?"},
        {HEAD ID "kind: [a] }\n", "3:37: kind: \"\" is none of"},
        {HEAD ID "kind: linkmi, secret_env: [HOOK_ONE] }\n",
         "3:45: secret_env: is no key of a source; did you mean secrets_env?"},
        {HEAD ID "kind: generic, scheme: none, allow_unsigned: true, maps: { "
                 "type: lead } }\n",
         "maps: is no key of a source; did you mean map?"},
        {HEAD "  - { id: s, kind: linkmi, secrets_env: [HOOK_ONE] }\n",
         "3:5: site: is missing"},
        {HEAD "  - { id: s, site: bob.bio, kind: linkmi, secrets_env: "
              "[HOOK_ONE] }\n",
         "3:20: site: there is no site \"bob.bio\"; add it under sites:"},
        {HEAD "  - { id: s, site: [a], kind: linkmi, secrets_env: [HOOK_ONE] "
              "}\n",
         "site: there is no site"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], map: { type: lead } "
                 "}\n",
         "map: is for kind: generic; linkmi has a map of its own"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], dedupe: lead }\n",
         "dedupe: \"lead\" is none of off, leads, body; did you mean leads?"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], daily_cap: -1 }\n",
         "daily_cap: must be a whole number"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], daily_cap: 1.5 }\n",
         "daily_cap: must be a whole number"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], daily_cap: 1000001 "
                 "}\n",
         "daily_cap: must be a whole number"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], encoding: hexx }\n",
         "encoding: \"hexx\" is none of auto, hex, sha256=hex, base64; did "
         "you mean hex?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(cases[i].text, cases[i].want);
    }
}

static void a_scheme_asks_for_its_keys_and_refuses_others(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {HEAD ID "kind: generic, secrets_env: [HOOK_ONE]" MAP,
         "scheme: is missing: hmac, standard, header, url_secret or none"},
        {HEAD ID "kind: generic, scheme: hmca, secrets_env: [HOOK_ONE]" MAP,
         "scheme: \"hmca\" is none of hmac, standard, header, url_secret, "
         "none; did you mean hmac?"},
        {HEAD ID "kind: generic, scheme: hmac, secrets_env: [HOOK_ONE]" MAP,
         "header: is missing"},
        {HEAD ID "kind: generic, scheme: header, secrets_env: [HOOK_ONE]" MAP,
         "header: is missing"},
        {HEAD ID "kind: generic, scheme: hmac, header: \"X Sign\", "
                 "secrets_env: [HOOK_ONE]" MAP,
         "header: must be the name of a header field"},
        {HEAD ID "kind: generic, scheme: hmac, header: X, timestamp_header: "
                 "\"\", secrets_env: [HOOK_ONE]" MAP,
         "timestamp_header: must be the name of a header field"},
        {HEAD ID "kind: generic, scheme: url_secret, header: X, secrets_env: "
                 "[HOOK_LONG]" MAP,
         "header: is for the schemes hmac and header; the scheme here is "
         "url_secret"},
        {HEAD ID "kind: generic, scheme: standard, encoding: hex, "
                 "secrets_env: [HOOK_WHSEC]" MAP,
         "encoding: is for the scheme hmac"},
        {HEAD ID "kind: generic, scheme: standard, timestamp_header: X, "
                 "secrets_env: [HOOK_WHSEC]" MAP,
         "timestamp_header: is for the scheme hmac"},
        {HEAD ID "kind: linkmi, tolerance: 5m, secrets_env: [HOOK_ONE] }\n",
         "tolerance: is for the scheme standard, and for hmac with "
         "timestamp_header"},
        {HEAD ID "kind: generic, scheme: standard, tolerance: soon, "
                 "secrets_env: [HOOK_WHSEC]" MAP,
         "tolerance: must be a duration"},
        {HEAD ID "kind: generic, scheme: standard, tolerance: 0s, "
                 "secrets_env: [HOOK_WHSEC]" MAP,
         "tolerance: must be a duration"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(cases[i].text, cases[i].want);
    }
}

static void secrets_are_one_or_two_and_of_their_schemes_form(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {HEAD ID "kind: linkmi }\n", "3:5: secrets_env: is missing"},
        {HEAD ID "kind: linkmi, secrets_env: HOOK_ONE }\n",
         "secrets_env: must be a list of one or two variables"},
        {HEAD ID "kind: linkmi, secrets_env: [] }\n",
         "secrets_env: must be a list of one or two variables"},
        {HEAD ID "kind: linkmi, secrets_env: [A, B, C] }\n",
         "3:65: secrets_env: more than two secrets; keep the new and the old "
         "one"},
        {HEAD ID "kind: linkmi, secrets_env: [\"my secret\"] }\n",
         "secrets_env: must name a variable of the environment, never the "
         "secret itself"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_BLANK] }\n",
         "secrets_env: HOOK_BLANK is empty"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], secrets_file: x }\n",
         "secrets_file: stands beside secrets_env; use one of them"},
        {HEAD ID "kind: linkmi, secrets_file: /nowhere/at/all }\n",
         "secrets_file: there is no file /nowhere/at/all"},
        {HEAD ID "kind: linkmi, secrets_file: \"\" }\n",
         "secrets_file: must name a file"},
        {HEAD ID "kind: bitly, secrets_env: [HOOK_SHORT] }\n",
         "secrets_env: HOOK_SHORT holds fewer than 24 characters"},
        {HEAD ID "kind: generic, scheme: standard, secrets_env: [HOOK_ONE]" MAP,
         "secrets_env: HOOK_ONE holds no secret (whsec_"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_THREE] }\n",
         "secrets_env: more than two secrets"},
        {HEAD ID "kind: linkmi, secrets_env: [HOOK_ONE], allow_unsigned: true "
                 "}\n",
         "allow_unsigned: is for the scheme none; the scheme here is hmac"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(cases[i].text, cases[i].want);
    }
}

static void a_secret_is_never_shown(void **state)
{
    static const char *const texts[] = {
        HEAD ID "kind: bitly, secrets_env: [HOOK_SHORT] }\n", HEAD ID
        "kind: generic, scheme: standard, secrets_env: [HOOK_SHORT]" MAP};
    char faults[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check(texts[i], faults, sizeof(faults));
        assert_non_null(strstr(faults, "HOOK_SHORT"));
        assert_null(strstr(faults, "Zq3vN8"));
    }
}

static void a_file_of_secrets_is_looked_at(void **state)
{
    static const struct {
        const char *secrets;
        const char *want;
    } cases[] = {{"one\n", NULL},
                 {"one\n\n  two\n", NULL},
                 {"one\ntwo\nthree\n", "more than two secrets"},
                 {"\n\n", "is empty"}};
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 8];
    char text[512];

    (void)state;
    temp_dir_make(dir);
    (void)snprintf(path, sizeof(path), "%s/s", dir);
    (void)snprintf(text, sizeof(text),
                   HEAD ID "kind: linkmi, secrets_file: \"%s\" }\n", path);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FILE *file = fopen(path, "wbe");

        assert_non_null(file);
        assert_true(fputs(cases[i].secrets, file) >= 0);
        assert_int_equal(fclose(file), 0);
        expect(text, cases[i].want);
    }
    temp_dir_remove(dir);
}

static void unsigned_needs_a_word_and_a_loopback_address(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {HEAD ID "kind: generic, scheme: none" MAP,
         "allow_unsigned: must be true for scheme: none"},
        {HEAD ID "kind: generic, scheme: none, allow_unsigned: no" MAP,
         "allow_unsigned: must be true for scheme: none"},
        {"server: { listen: 0.0.0.0:8787 }\n" HEAD ID
         "kind: generic, scheme: none, allow_unsigned: true" MAP,
         "4:54: scheme: none is refused unless server.listen is a loopback "
         "address"},
        {"server: { listen: \"[::]:8787\" }\n" HEAD ID
         "kind: generic, scheme: none, allow_unsigned: true" MAP,
         "none is refused unless"},
        {"server: { listen: 192.0.2.1:80 }\n" HEAD ID
         "kind: generic, scheme: none, allow_unsigned: true" MAP,
         "none is refused unless"},
        {HEAD ID "kind: generic, scheme: none, allow_unsigned: true, "
                 "secrets_env: [HOOK_ONE]" MAP,
         "secrets_env: is for the schemes with a secret"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(cases[i].text, cases[i].want);
    }
}

#define UNSIGNED HEAD ID "kind: generic, scheme: none, allow_unsigned: true, "

static void a_map_knows_fields_types_and_paths(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {UNSIGNED "dedupe: body }\n", "map: is missing"},
        {UNSIGNED "map: lead }\n", "map: must hold fields and paths"},
        {UNSIGNED "map: { link: $.a } }\n", "type: is missing"},
        {UNSIGNED "map: { type: leed } }\n",
         "type: \"leed\" is none of view, click, lead, conversion; did you "
         "mean lead?"},
        {UNSIGNED "map: { type: [lead] } }\n",
         "type: must be a type, a path, or"},
        {UNSIGNED "map: { type: { path: $.e } } }\n",
         "type: must be a type, a path, or"},
        {UNSIGNED "map: { type: { path: $.e, is: lead } } }\n",
         "is: must hold words and types"},
        {UNSIGNED "map: { type: { path: $.e, is: { a: leads } } } }\n",
         "a: \"leads\" is none of view, click, lead, conversion; did you mean "
         "lead?"},
        {UNSIGNED "map: { type: { path: e, is: { a: lead } } } }\n",
         "path: \"e\" is no path: it must begin with $"},
        {UNSIGNED "map: { type: { path: $.e, is: { a: lead }, as: x } } }\n",
         "as: is no key of type"},
        {UNSIGNED "map: { type: $.a..b } }\n",
         "type: \"$.a..b\" is no path: it is written like $.a.b[0].c"},
        {UNSIGNED "map: { type: lead, link: \"$.a[x]\" } }\n",
         "link: \"$.a[x]\" is no path"},
        {UNSIGNED "map: { type: lead, contact.mail: $.a } }\n",
         "contact.mail: is no field of an event; did you mean contact.email?"},
        {UNSIGNED "map: { type: lead, site: x } }\n",
         "site: is no field of an event"},
        {UNSIGNED "map: { type: lead, contact: $.a } }\n",
         "contact: is no field of an event"},
        {UNSIGNED "map: { type: lead, props.: $.a } }\n",
         "props.: is no field of an event"},
        {UNSIGNED "map: { type: lead, link: [a] } }\n",
         "link: must be a path such as"},
        {UNSIGNED "each: items, map: { type: lead } }\n",
         "each: \"items\" is no path"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(cases[i].text, cases[i].want);
    }
}

static void a_map_has_thirty_props_at_most(void **state)
{
    char text[2048];
    size_t len =
        (size_t)snprintf(text, sizeof(text), UNSIGNED "map: { type: lead");

    (void)state;
    for (int i = 0; i < 30; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                ", props.p%d: $.a", i);
    }
    (void)snprintf(text + len, sizeof(text) - len, " } }\n");
    expect(text, NULL);
    (void)snprintf(text + len, sizeof(text) - len, ", props.q: 1 } }\n");
    expect(text, "props.q: an event has 30 props at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_that_are_well_have_no_fault),
        cmocka_unit_test(a_fault_names_its_place_and_what_would_be_right),
        cmocka_unit_test(a_scheme_asks_for_its_keys_and_refuses_others),
        cmocka_unit_test(secrets_are_one_or_two_and_of_their_schemes_form),
        cmocka_unit_test(a_secret_is_never_shown),
        cmocka_unit_test(a_file_of_secrets_is_looked_at),
        cmocka_unit_test(unsigned_needs_a_word_and_a_loopback_address),
        cmocka_unit_test(a_map_knows_fields_types_and_paths),
        cmocka_unit_test(a_map_has_thirty_props_at_most),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
