/* geo_command.c - `linkbell geo build` and `linkbell geo lookup`. */
#include "geo/geo_command.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/ip.h"
#include "base/json.h"
#include "geo/geo.h"
#include "geo/geo_build.h"

#define PATH_BYTES (LB_CONFIG_TEXT_BYTES + 4096)

static int build(const struct lb_cli *cli,
                 const char *ipv4_path,
                 const char *ipv6_path,
                 const char *out_path)
{
    struct geo_build_result result;
    struct lb_error err = {LB_OK, ""};
    char made[LB_CLOCK_TEXT_BYTES];

    if (geo_build(ipv4_path, ipv6_path, out_path, &result, &err) != LB_OK) {
        return lb_cli_fail(cli, &err);
    }
    lb_clock_format(result.made_at_ms, made);
    if (cli->is_json) {
        (void)printf("{\"ranges\":%zu,\"left_out\":%zu,\"bytes\":%zu,"
                     "\"source_date\":\"%.10s\"}\n",
                     result.range_count, result.left_out_count, result.bytes,
                     made);
    } else if (!cli->is_quiet) {
        (void)printf("%s: %zu ranges, %zu bytes, source of %.10s; left out %zu "
                     "ranges of no country\n",
                     out_path, result.range_count, result.bytes, made,
                     result.left_out_count);
    }
    return LB_CLI_OK;
}

static const char *shown(const char *text)
{
    return text[0] == '\0' ? "(not set)" : text;
}

static void print_table(const struct geo *geo,
                        const char *address,
                        const struct geo_place *place)
{
    (void)printf("address   %s\ncountry   %s\nregion    %s\ncity      %s\n",
                 address, shown(place->country), shown(place->region),
                 shown(place->city));
    for (size_t i = 0; i < geo_file_count(geo); i++) {
        struct geo_file file = geo_file_at(geo, i);
        char made[LB_CLOCK_TEXT_BYTES];

        lb_clock_format(file.built_at_ms, made);
        (void)printf("database  %s of %.10s\n", file.type, made);
    }
}

static void print_json(const struct geo *geo,
                       const char *address,
                       const struct geo_place *place)
{
    struct lb_buf out;

    lb_buf_init(&out, 65536);
    lb_buf_add_text(&out, "{\"address\":");
    lb_json_add_string(&out, address);
    lb_buf_add_text(&out, ",\"country\":");
    lb_json_add_string(&out, place->country);
    lb_buf_add_text(&out, ",\"region\":");
    lb_json_add_string(&out, place->region);
    lb_buf_add_text(&out, ",\"city\":");
    lb_json_add_string(&out, place->city);
    lb_buf_add_text(&out, ",\"database\":[");
    for (size_t i = 0; i < geo_file_count(geo); i++) {
        struct geo_file file = geo_file_at(geo, i);

        lb_buf_add_text(&out, i == 0 ? "{\"type\":" : ",{\"type\":");
        lb_json_add_string(&out, file.type);
        lb_buf_add_text(&out, ",\"built_at\":");
        lb_json_add_time(&out, file.built_at_ms);
        lb_buf_add_char(&out, '}');
    }
    (void)printf("%s]}\n", lb_buf_text(&out));
    lb_buf_deinit(&out);
}

static enum lb_err open_configured(const struct lb_cli *cli,
                                   const struct lb_config *config,
                                   struct geo **geo_out,
                                   struct lb_error *err)
{
    const char *dir = cli->data_dir != NULL ? cli->data_dir : config->data_dir;
    char path[PATH_BYTES];
    const char *const only[] = {path};
    const struct lb_config_list *list = &config->geo_database;

    (void)snprintf(path, sizeof(path), "%s/geo.mmdb", dir);
    return list->count == 0
               ? geo_open(only, 1, GEO_CHECK_TYPE, geo_out, err)
               : geo_open((const char *const *)list->values, list->count,
                          GEO_CHECK_TYPE, geo_out, err);
}

static int lookup(const struct lb_cli *cli, const char *address)
{
    struct lb_config config;
    struct lb_error err = {LB_OK, ""};
    struct geo *geo = NULL;
    struct geo_place place;
    struct sockaddr_storage socket_address;
    struct lb_ip ip;
    int exit_code = LB_CLI_OK;
    enum lb_err rc;

    if (!lb_ip_parse(address, &ip)) {
        (void)fprintf(stderr,
                      "linkbell geo: \"%s\" is no address; write it like "
                      "192.0.2.1 or 2001:db8::1\n",
                      address);
        return LB_CLI_USAGE;
    }
    lb_ip_to(&ip, &socket_address);
    rc = lb_cli_config(cli, &config, &err);
    rc = rc == LB_OK ? open_configured(cli, &config, &geo, &err) : rc;
    if (rc == LB_OK) {
        rc = geo_find(geo, (const struct sockaddr *)&socket_address, &place);
        rc = rc == LB_EFORMAT
                 ? lb_err_set(&err, rc,
                              "the entry of this address is damaged; "
                              "get or build the database anew")
                 : LB_OK;
    }
    if (rc != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (cli->is_json) {
        print_json(geo, address, &place);
    } else {
        print_table(geo, address, &place);
    }
    geo_close(geo);
    lb_config_deinit(&config);
    return exit_code;
}

int geo_command(struct lb_cli *cli, int argc, char **argv)
{
    const char *ipv4_path = GEO_BUILD_IPV4;
    const char *ipv6_path = GEO_BUILD_IPV6;
    const struct lb_cli_option options[] = {
        {"ipv4", "FILE", "IPv4 ranges; else tor-geoipdb's", &ipv4_path, NULL},
        {"ipv6", "FILE", "IPv6 ranges; else tor-geoipdb's", &ipv6_path, NULL}};
    const struct lb_cli_usage usage = {
        .line = "geo build [--ipv4 FILE --ipv6 FILE] OUT.mmdb | geo lookup "
                "ADDRESS",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .word_max = 2};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (words.count == 2 && strcmp(words.at[0], "build") == 0) {
        return build(cli, ipv4_path, ipv6_path, words.at[1]);
    }
    if (words.count == 2 && strcmp(words.at[0], "lookup") == 0) {
        return lookup(cli, words.at[1]);
    }
    (void)fprintf(stderr,
                  "linkbell geo: say build OUT.mmdb or lookup ADDRESS\n");
    return LB_CLI_USAGE;
}
