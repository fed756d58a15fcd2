/* config.h - every setting of the service in one table: name, type, range,
 * default, unit, help.  What stands under sites, links, sources, destinations
 * and rules is not here: `apply` takes that from the same file. */
#ifndef LINKBELL_BASE_CONFIG_H
#define LINKBELL_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/yaml.h"

#define LB_CONFIG_LIST_MAX 64 /* values of one list */
#define LB_CONFIG_TEXT_BYTES 512

struct lb_config_list {
    size_t count;
    char *values[LB_CONFIG_LIST_MAX]; /* owned */
};

struct lb_config {
    char listen[LB_CONFIG_TEXT_BYTES];
    char data_dir[LB_CONFIG_TEXT_BYTES];
    char public_url[LB_CONFIG_TEXT_BYTES];
    char client_ip_header[LB_CONFIG_TEXT_BYTES];
    char sandbox[LB_CONFIG_TEXT_BYTES];
    char log_level[LB_CONFIG_TEXT_BYTES];
    struct lb_config_list trusted_proxies;
    char visitor_period[LB_CONFIG_TEXT_BYTES];
    int64_t retention_ms;
    int64_t rollup_retention_ms;
    struct lb_config_list keep_contact;
    bool is_gpc_honoured;
    bool is_dnt_honoured;
    struct lb_config_list geo_database;
    int64_t min_n;
    char utm_case[LB_CONFIG_TEXT_BYTES];
    int64_t burst_per_minute;
    int64_t double_tap_window_ms;
    char datacentre_list[LB_CONFIG_TEXT_BYTES];
    /* limits */
    int64_t request_line_bytes;
    int64_t header_bytes;
    int64_t header_count;
    int64_t header_timeout_ms;
    int64_t body_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t write_timeout_ms;
    int64_t body_bytes;
    int64_t body_inflated_bytes;
    int64_t events_per_request;
    int64_t event_bytes;
    int64_t json_depth;
    int64_t text_bytes;
    int64_t connections;
    int64_t connections_per_ip;
    int64_t pipeline;
    int64_t rate;
    int64_t rate_per_source;
    int64_t rate_per_ip;
    int64_t queue_events;
    int64_t queue_bytes;
    int64_t inflight_bytes;
    int64_t dedupe_window_ms;
    int64_t segment_events;
    int64_t dedupe_ids;
    int64_t utm_values;
    int64_t max_db_bytes;
    int64_t disk_reserve_bytes;
    int64_t live_streams;
    int64_t segment_cache_bytes;
    int64_t query_timeout_ms;
    int64_t shutdown_timeout_ms;
    /* delivery */
    struct lb_config_list allow_addresses;
    struct lb_config_list fallback;
    int64_t max_in_flight;
    char proxy[LB_CONFIG_TEXT_BYTES];
    char ca_file[LB_CONFIG_TEXT_BYTES];
    int64_t keep_delivered_ms;
    int64_t keep_dead_ms;
    double jitter;
    int64_t breaker_failures;
    struct lb_config_list breaker_probe;
    int64_t disable_after_ms;
    int64_t response_limit_bytes;
    int64_t transform_time_ms;
    int64_t transform_bytes;
};

/* Faults of a file, one line each: "LINE:COL: key: message". */
struct lb_config_faults {
    struct lb_buf lines; /* each ends with a newline, without the file's name */
    size_t count;
};
void lb_config_faults_init(struct lb_config_faults *faults);
void lb_config_faults_deinit(struct lb_config_faults *faults);
void lb_config_fault(struct lb_config_faults *faults,
                     unsigned line,
                     unsigned column,
                     const char *key,
                     const char *fmt,
                     ...) LB_PRINTF(5, 6);

/* config is filled with the defaults; lb_config_deinit() frees its lists. */
LB_MUST_CHECK enum lb_err lb_config_init(struct lb_config *config,
                                         struct lb_error *err);
void lb_config_deinit(struct lb_config *config);
/* How the outside reaches the service: server.public_url, else http:// and
 * server.listen.  Without a slash at its end. */
void lb_config_base_url(const struct lb_config *config,
                        char out[LB_CONFIG_TEXT_BYTES]);

/* Reads the settings of a file's tree over what config holds.  Each fault is
 * noted and leaves its setting as it was. */
void lb_config_read(struct lb_config *config,
                    const struct lb_yaml *root,
                    struct lb_config_faults *faults);

/* Reads a whole file and parses it; err says "PATH:LINE:COL: ...". */
LB_MUST_CHECK enum lb_err lb_config_load_file(const char *path,
                                              struct lb_yaml **root_out,
                                              struct lb_error *err);

/* The table as Markdown: what --help-config prints. */
void lb_config_help(struct lb_buf *buf);

/* "15m", "72h", "400d" in milliseconds; "8MiB" in bytes; "60/m" in thousandths
 * a second. False for anything else. */
bool lb_config_parse_duration(const char *text, int64_t *ms_out);
bool lb_config_parse_size(const char *text, int64_t *bytes_out);
bool lb_config_parse_rate(const char *text, int64_t *milli_per_s_out);

/* Takes "127.0.0.1:8787" or "[::1]:8787" apart; without a port it is 8787. */
#define LB_CONFIG_HOST_BYTES 64
void lb_config_parse_listen(const char *text,
                            char host_out[LB_CONFIG_HOST_BYTES],
                            int *port_out);

#endif
