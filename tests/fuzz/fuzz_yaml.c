/* fuzz_yaml.c - a configuration file of any bytes: parsed or refused with a
 * place, written as JSON that passes, read over the settings. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/json.h"
#include "base/yaml.h"

#define JSON_BYTES ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const struct lb_yaml *root)
{
    struct lb_json_fault fault;
    struct lb_buf buf;

    lb_buf_init(&buf, JSON_BYTES);
    lb_yaml_to_json(root, &buf);
    if (!buf.is_failed &&
        lb_json_check(buf.data, buf.len, LB_YAML_DEPTH + 1, &fault) != LB_OK) {
        abort();
    }
    lb_buf_deinit(&buf);
}

static void check_settings(const struct lb_yaml *root)
{
    struct lb_config config;
    struct lb_config_faults faults;

    if (lb_config_init(&config, NULL) != LB_OK) {
        abort();
    }
    lb_config_faults_init(&faults);
    lb_config_read(&config, root, &faults);
    if (config.json_depth < 1 || config.connections < 1 ||
        config.pipeline < 1 || !(config.jitter >= 0 && config.jitter <= 1) ||
        config.trusted_proxies.count > LB_CONFIG_LIST_MAX) {
        abort();
    }
    lb_config_faults_deinit(&faults);
    lb_config_deinit(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + (size == 0 ? 1 : 0));
    struct lb_yaml *root = NULL;
    struct lb_error err = {0};

    if (bytes == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(bytes, data, size);
    }
    if (lb_yaml_parse(bytes, size, &root, &err) == LB_OK) {
        check_json(root);
        check_settings(root);
    } else if (root != NULL || err.text[0] < '0' || err.text[0] > '9') {
        abort(); /* an error begins with its line */
    }
    lb_yaml_free(root);
    free(bytes);
    return 0;
}
