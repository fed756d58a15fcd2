/* test_catalog.c - snapshots of sites, links, tokens and objects. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/catalog.h"

#define SITE_MAX 100

struct world {
    struct writer *writer;
    struct catalog_holder *holder;
    struct catalog *catalog; /* the snapshot looked at; see look() */
    sem_t done;
    struct writer_job job;
    enum lb_err (*work)(struct world *world,
                        struct db *db,
                        struct lb_error *err);
    enum lb_err rc;
    int64_t number; /* of the site put last */
    const char *id;
    bool begins_anew;
    atomic_bool is_over;
};

static struct world *world_of(struct writer_job *job)
{
    return (struct world *)(void *)((char *)job - offsetof(struct world, job));
}

static enum lb_err
run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct world *world = world_of(job);

    return world->work(world, db, err);
}

static void
done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    (void)err;
    world_of(job)->rc = rc;
    (void)sem_post(&world_of(job)->done);
}

static enum lb_err change(struct world *world,
                          enum lb_err (*work)(struct world *world,
                                              struct db *db,
                                              struct lb_error *err),
                          const char *id)
{
    world->work = work;
    world->id = id;
    world->job = (struct writer_job){.run = run, .done = done};
    assert_int_equal(writer_submit(world->writer, &world->job), LB_OK);
    while (sem_wait(&world->done) != 0) {
    }
    return world->rc;
}

static const struct catalog *look(struct world *world)
{
    catalog_unref(world->catalog);
    world->catalog = catalog_current(world->holder);
    return world->catalog;
}

static int open_world(void **state)
{
    static struct world world;
    const struct writer_limits limits = {
        .queue_events = 10, .queue_bytes = 1000, .group_events = 100};
    struct lb_error err = {LB_OK, ""};

    memset(&world, 0, sizeof(world));
    *state = &world;
    return sem_init(&world.done, 0, 0) != 0 ||
           writer_new(NULL, ":memory:", &limits, &world.writer, &err) !=
               LB_OK ||
           catalog_holder_new(world.writer, &world.holder, &err) != LB_OK ||
           writer_start(world.writer, &err) != LB_OK;
}

static int close_world(void **state)
{
    struct world *world = *state;

    catalog_unref(world->catalog);
    writer_stop(world->writer);
    catalog_holder_free(world->holder);
    writer_free(world->writer);
    return sem_destroy(&world->done);
}

static enum lb_err
put_site(struct world *world, struct db *db, struct lb_error *err)
{
    const char *const hosts[] = {world->id, "also.example"};
    const struct catalog_site_draft draft = {
        world->id,
        "Europe/Paris",
        hosts,
        2,
        "{\"badge\":true,\"ignore_ips\":[\"192.0.2.0/24\",\"x\",7]}",
        world->begins_anew};

    return catalog_put_site(world->holder, db, &draft, &world->number, err);
}

static enum lb_err
put_site_and_fail(struct world *world, struct db *db, struct lb_error *err)
{
    enum lb_err rc = put_site(world, db, err);

    return rc == LB_OK ? lb_err_set(err, LB_EINVAL, "a fault") : rc;
}

static enum lb_err
remove_site(struct world *world, struct db *db, struct lb_error *err)
{
    return catalog_remove_site(world->holder, db, world->number, err);
}

static enum lb_err
put_link(struct world *world, struct db *db, struct lb_error *err)
{
    const struct catalog_link_draft draft = {
        world->number, world->id, "A \"title\"", "https://example.org/", "",
        true,          true};

    return catalog_put_link(world->holder, db, &draft, err);
}

static enum lb_err
remove_link(struct world *world, struct db *db, struct lb_error *err)
{
    return catalog_remove_link(world->holder, db, world->number, world->id,
                               err);
}

static enum lb_err
put_rule(struct world *world, struct db *db, struct lb_error *err)
{
    const struct catalog_object_draft draft = {
        .kind = CATALOG_RULE,
        .id = world->id,
        .body_json = "{\"kind\":\"threshold\"}",
        .begins_anew = world->begins_anew};

    return catalog_put_object(world->holder, db, &draft, err);
}

static enum lb_err
remove_rule(struct world *world, struct db *db, struct lb_error *err)
{
    return catalog_remove_object(world->holder, db, CATALOG_RULE, world->id,
                                 err);
}

/* The token's hash is its id's first byte, 32 times. */
static struct catalog_token token_of(const char *id)
{
    struct catalog_token token;

    memset(&token, 0, sizeof(token));
    token.id = id;
    token.prefix = "lbk_abcd";
    memset(token.hash, id[0], sizeof(token.hash));
    token.scopes = CATALOG_SCOPE_INGEST | CATALOG_SCOPE_READ;
    token.is_all_sites = true;
    token.created_at_ms = 5;
    return token;
}

static enum lb_err
put_token(struct world *world, struct db *db, struct lb_error *err)
{
    const struct catalog_token token = token_of(world->id);

    return catalog_put_token(world->holder, db, &token, err);
}

static enum lb_err
put_site_token(struct world *world, struct db *db, struct lb_error *err)
{
    const int64_t sites[] = {2, 7};
    struct catalog_token token = token_of(world->id);

    token.is_all_sites = false;
    token.sites = sites;
    token.site_count = 2;
    token.is_in_url = true;
    return catalog_put_token(world->holder, db, &token, err);
}

static enum lb_err
revoke_token(struct world *world, struct db *db, struct lb_error *err)
{
    return catalog_revoke_token(world->holder, db, world->id, err);
}

static enum lb_err
use_token(struct world *world, struct db *db, struct lb_error *err)
{
    return catalog_use_token(world->holder, db, world->id, 4321, err);
}

static void an_empty_catalog_finds_nothing(void **state)
{
    struct world *world = *state;
    const uint8_t hash[32] = {0};
    const struct catalog *catalog = look(world);

    assert_int_equal(catalog_site_count(catalog), 0);
    assert_int_equal(catalog_token_count(catalog), 0);
    assert_int_equal(catalog_object_count(catalog, CATALOG_RULE), 0);
    assert_null(catalog_site_find(catalog, "alice.bio"));
    assert_null(catalog_site_by_number(catalog, 0));
    assert_null(catalog_site_by_number(catalog, 1));
    assert_null(catalog_site_by_host(catalog, "alice.bio"));
    assert_null(catalog_token_find(catalog, hash));
    assert_null(catalog_object_find(catalog, CATALOG_SOURCE, "x"));
    catalog_unref(NULL);
}

static void a_site_is_found_by_id_number_and_host(void **state)
{
    struct world *world = *state;
    const struct catalog_site *site;

    assert_int_equal(change(world, put_site, "alice.bio"), LB_OK);
    site = catalog_site_find(look(world), "alice.bio");
    assert_non_null(site);
    assert_int_equal(site->number, world->number);
    assert_string_equal(site->timezone, "Europe/Paris");
    assert_non_null(site->zone);
    assert_int_equal(site->host_count, 2);
    assert_true(cJSON_IsTrue(
        cJSON_GetObjectItemCaseSensitive(site->settings, "badge")));
    assert_true(site->created_at_ms > 0);
    assert_ptr_equal(catalog_site_by_number(world->catalog, world->number),
                     site);
    assert_ptr_equal(catalog_site_by_host(world->catalog, "also.example"),
                     site);
    assert_null(catalog_site_by_host(world->catalog, "other.example"));
    assert_null(catalog_site_find(world->catalog, "ALICE.bio"));
}

static void a_site_has_its_owners_addresses(void **state)
{
    struct world *world = *state;
    const struct catalog_site *site;
    struct lb_ip address;

    assert_int_equal(change(world, put_site, "alice.bio"), LB_OK);
    site = catalog_site_find(look(world), "alice.bio");
    assert_true(lb_ip_parse("192.0.2.7", &address));
    assert_true(lb_ip_set_contains(site->ignored, &address));
    assert_true(lb_ip_parse("192.0.3.7", &address));
    assert_false(lb_ip_set_contains(site->ignored, &address));
}

static void a_snapshot_stays_as_it_was(void **state)
{
    struct world *world = *state;
    struct catalog *old;

    assert_int_equal(change(world, put_site, "alice.bio"), LB_OK);
    old = catalog_current(world->holder);
    assert_int_equal(change(world, put_site, "bob.bio"), LB_OK);
    assert_int_equal(catalog_site_count(old), 1);
    assert_int_equal(catalog_site_count(look(world)), 2);
    assert_true(catalog_version(world->catalog) > catalog_version(old));
    catalog_unref(old);
}

static void what_is_undone_is_never_seen(void **state)
{
    struct world *world = *state;
    int64_t version = catalog_version(look(world));

    assert_int_equal(change(world, put_site_and_fail, "alice.bio"), LB_EINVAL);
    assert_int_equal(catalog_site_count(look(world)), 0);
    assert_int_equal(catalog_version(world->catalog), version);
    assert_int_equal(change(world, put_site, "bob.bio"), LB_OK);
    assert_int_equal(catalog_site_count(look(world)), 1);
}

static void a_sites_number_is_kept_and_never_given_again(void **state)
{
    struct world *world = *state;
    int64_t first;

    assert_int_equal(change(world, put_site, "alice.bio"), LB_OK);
    first = world->number;
    assert_int_equal(change(world, put_site, "alice.bio"), LB_OK);
    assert_int_equal(world->number, first);
    assert_int_equal(change(world, remove_site, "alice.bio"), LB_OK);
    assert_null(catalog_site_find(look(world), "alice.bio"));
    assert_null(catalog_site_by_host(world->catalog, "alice.bio"));
    assert_int_equal(change(world, remove_site, "alice.bio"), LB_ENOTFOUND);
    assert_int_equal(change(world, put_site, "alice.bio"), LB_OK);
    assert_true(world->number > first);
    assert_int_equal(catalog_site_find(look(world), "alice.bio")->number,
                     world->number);
}

static void many_sites_and_links_are_all_found(void **state)
{
    struct world *world = *state;
    char id[] = "site-00.bio";

    for (int i = 0; i < SITE_MAX; i++) {
        id[5] = (char)('0' + (i * 37 % SITE_MAX) / 10);
        id[6] = (char)('0' + i * 37 % SITE_MAX % 10);
        assert_int_equal(change(world, put_site, id), LB_OK);
        assert_int_equal(change(world, put_link, "shop"), LB_OK);
    }
    assert_int_equal(catalog_site_count(look(world)), SITE_MAX);
    for (int i = 0; i < SITE_MAX; i++) {
        const struct catalog_site *site;

        id[5] = (char)('0' + i / 10);
        id[6] = (char)('0' + i % 10);
        site = catalog_site_find(world->catalog, id);
        assert_non_null(site);
        assert_string_equal(site->id, id);
        assert_ptr_equal(catalog_site_by_number(world->catalog, site->number),
                         site);
        assert_non_null(catalog_link_find(site, "shop"));
    }
}

static void links_are_found_by_slug_and_remember_removal(void **state)
{
    struct world *world = *state;
    const struct catalog_site *site;
    const struct catalog_link *link;
    int64_t number;

    assert_int_equal(change(world, put_site, "alice.bio"), LB_OK);
    assert_int_equal(change(world, put_link, "shop"), LB_OK);
    assert_int_equal(change(world, put_link, "about"), LB_OK);
    assert_int_equal(change(world, put_link, "zoo"), LB_OK);
    site = catalog_site_find(look(world), "alice.bio");
    link = catalog_link_find(site, "shop");
    assert_non_null(link);
    assert_string_equal(link->title, "A \"title\"");
    assert_string_equal(link->url, "https://example.org/");
    assert_string_equal(link->intent, "");
    assert_true(link->is_enabled);
    assert_true(link->is_from_file);
    assert_int_equal(link->removed_at_ms, 0);
    number = link->number;
    assert_non_null(catalog_link_find(site, "about"));
    assert_non_null(catalog_link_find(site, "zoo"));
    assert_null(catalog_link_find(site, "sho"));

    assert_int_equal(change(world, remove_link, "shop"), LB_OK);
    assert_int_equal(change(world, remove_link, "shop"), LB_ENOTFOUND);
    site = catalog_site_find(look(world), "alice.bio");
    link = catalog_link_find(site, "shop");
    assert_true(link == NULL || link->removed_at_ms > 0);
    assert_int_equal(change(world, put_link, "shop"), LB_OK);
    site = catalog_site_find(look(world), "alice.bio");
    link = catalog_link_find(site, "shop");
    assert_non_null(link);
    assert_int_equal(link->number, number);
    assert_int_equal(link->removed_at_ms, 0);
}

static void an_object_keeps_its_number_unless_it_begins_anew(void **state)
{
    struct world *world = *state;
    const struct catalog_object *rule;
    int64_t first;

    assert_int_equal(change(world, put_rule, "quiet"), LB_OK);
    rule = catalog_object_find(look(world), CATALOG_RULE, "quiet");
    assert_non_null(rule);
    assert_non_null(cJSON_GetObjectItemCaseSensitive(rule->body, "kind"));
    assert_null(catalog_object_find(world->catalog, CATALOG_SOURCE, "quiet"));
    first = rule->number;
    assert_int_equal(change(world, put_rule, "quiet"), LB_OK);
    assert_int_equal(
        catalog_object_find(look(world), CATALOG_RULE, "quiet")->number, first);
    world->begins_anew = true;
    assert_int_equal(change(world, put_rule, "quiet"), LB_OK);
    assert_true(
        catalog_object_find(look(world), CATALOG_RULE, "quiet")->number >
        first);
    assert_int_equal(catalog_object_count(world->catalog, CATALOG_RULE), 1);
    assert_int_equal(change(world, remove_rule, "quiet"), LB_OK);
    assert_null(catalog_object_find(look(world), CATALOG_RULE, "quiet"));
    assert_int_equal(change(world, remove_rule, "quiet"), LB_ENOTFOUND);
}

static void a_token_is_found_by_its_hash(void **state)
{
    struct world *world = *state;
    const struct catalog_token model = token_of("a_token");
    const struct catalog_token other = token_of("b_token");
    const struct catalog_token *token;

    assert_int_equal(change(world, put_token, "a_token"), LB_OK);
    assert_int_equal(change(world, put_token, "a_token"), LB_EEXIST);
    assert_int_equal(change(world, put_site_token, "b_token"), LB_OK);
    assert_int_equal(catalog_token_count(look(world)), 2);
    token = catalog_token_find(world->catalog, model.hash);
    assert_non_null(token);
    assert_string_equal(token->id, "a_token");
    assert_string_equal(token->prefix, "lbk_abcd");
    assert_int_equal(token->scopes, CATALOG_SCOPE_INGEST | CATALOG_SCOPE_READ);
    assert_true(token->is_all_sites);
    assert_false(token->is_in_url);
    assert_int_equal(token->created_at_ms, 5);
    assert_int_equal(token->last_used_at_ms, 0);
    token = catalog_token_find(world->catalog, other.hash);
    assert_non_null(token);
    assert_false(token->is_all_sites);
    assert_true(token->is_in_url);
    assert_int_equal(token->site_count, 2);
    assert_int_equal(token->sites[0], 2);
    assert_int_equal(token->sites[1], 7);
}

static void a_token_is_used_and_revoked(void **state)
{
    struct world *world = *state;
    const struct catalog_token model = token_of("a_token");
    const struct catalog_token *token;

    assert_int_equal(change(world, put_token, "a_token"), LB_OK);
    assert_int_equal(change(world, use_token, "a_token"), LB_OK);
    token = catalog_token_find(look(world), model.hash);
    assert_int_equal(token->last_used_at_ms, 4321);
    assert_int_equal(token->revoked_at_ms, 0);
    assert_int_equal(change(world, revoke_token, "a_token"), LB_OK);
    token = catalog_token_find(look(world), model.hash);
    assert_non_null(token);
    assert_true(token->revoked_at_ms > 0);
    assert_int_equal(change(world, revoke_token, "a_token"), LB_ENOTFOUND);
    assert_int_equal(change(world, revoke_token, "none"), LB_ENOTFOUND);
}

/* Rules begin anew with each version, and a token is used each minute. */
static void tokens_leave_the_version_as_it_is(void **state)
{
    struct world *world = *state;
    int64_t version = catalog_version(look(world));

    assert_int_equal(change(world, put_token, "a_token"), LB_OK);
    assert_int_equal(change(world, use_token, "a_token"), LB_OK);
    assert_int_equal(change(world, revoke_token, "a_token"), LB_OK);
    assert_int_equal(catalog_version(look(world)), version);
}

static void *read_on(void *ctx)
{
    struct world *world = ctx;
    size_t least = 0;

    while (!atomic_load(&world->is_over)) {
        struct catalog *catalog = catalog_current(world->holder);
        size_t count = catalog_site_count(catalog);

        if (count < least) {
            catalog_unref(catalog);
            return ctx;
        }
        least = count;
        catalog_unref(catalog);
    }
    return NULL;
}

static void readers_hold_snapshots_while_it_changes(void **state)
{
    struct world *world = *state;
    pthread_t readers[2];
    char id[] = "site-0.bio";

    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, world), 0);
    }
    for (int i = 0; i < 10; i++) {
        id[5] = (char)('0' + i);
        assert_int_equal(change(world, put_site, id), LB_OK);
    }
    atomic_store(&world->is_over, true);
    for (int i = 0; i < 2; i++) {
        void *fault = NULL;

        assert_int_equal(pthread_join(readers[i], &fault), 0);
        assert_null(fault);
    }
}

#define IN_A_WORLD(test)                                                       \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(an_empty_catalog_finds_nothing),
        IN_A_WORLD(a_site_is_found_by_id_number_and_host),
        IN_A_WORLD(a_site_has_its_owners_addresses),
        IN_A_WORLD(a_snapshot_stays_as_it_was),
        IN_A_WORLD(what_is_undone_is_never_seen),
        IN_A_WORLD(a_sites_number_is_kept_and_never_given_again),
        IN_A_WORLD(many_sites_and_links_are_all_found),
        IN_A_WORLD(links_are_found_by_slug_and_remember_removal),
        IN_A_WORLD(an_object_keeps_its_number_unless_it_begins_anew),
        IN_A_WORLD(a_token_is_found_by_its_hash),
        IN_A_WORLD(a_token_is_used_and_revoked),
        IN_A_WORLD(tokens_leave_the_version_as_it_is),
        IN_A_WORLD(readers_hold_snapshots_while_it_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
