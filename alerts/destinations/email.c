/* email.c - a mail by SMTP (libcurl): text and HTML, one transaction a
 * recipient, so that a repeat goes to those alone who did not get it.  Headers
 * as RFC 5322 and RFC 2047 have them; Message-ID is the same on each attempt.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/zone.h"

#define RECIPIENTS_MAX 16
#define SUBJECT_UNITS 150
#define VALUE_UNITS 5000
#define WORD_BYTES 62 /* of an encoded word's 75, within its marks */
#define LINE_BYTES 57 /* that are a line of 76 characters in base64 */
#define TEXT_BYTES ((size_t)256 * 1024)
#define STEP_TROUBLE 100 /* added to a step: an earlier recipient failed */
#define BOUNDARY "=_linkbell_alternative"

static const char *const keys[] = {
    "smtp",          "user_env", "user_file", "password_env",
    "password_file", "from",     "to",        NULL};
static const char *const needs[] = {"smtp", "from", "to", NULL};

/* --- configuration
 * ------------------------------------------------------------------------ */

/* The address of "name <address>" or of itself; false: it is none. */
static bool read_address(const char *text, char out[DESTINATION_MAIL_BYTES])
{
    const char *open = strchr(text, '<');
    const char *start = open == NULL ? text : open + 1;
    size_t len = strcspn(start, open == NULL ? " \t" : ">");

    if (strpbrk(text, "\r\n") != NULL || len == 0 ||
        len >= DESTINATION_MAIL_BYTES || memchr(start, '@', len) == NULL ||
        memchr(start, ' ', len) != NULL ||
        (open != NULL && start[len] != '>')) {
        return false;
    }
    memcpy(out, start, len);
    out[len] = '\0';
    return true;
}

static void check_address(const struct lb_yaml *node,
                          const char *key,
                          struct lb_config_faults *faults)
{
    char address[DESTINATION_MAIL_BYTES];

    if (node->kind != LB_YAML_SCALAR || !read_address(node->text, address)) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be an address, such as alerts@example.com or "
                        "\"linkbell <alerts@example.com>\"");
    }
}

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    const struct lb_yaml *smtp = lb_yaml_find(destination, "smtp");
    const struct lb_yaml *from = lb_yaml_find(destination, "from");
    const struct lb_yaml *to = lb_yaml_find(destination, "to");
    size_t count = 0;

    if (smtp != NULL && (smtp->kind != LB_YAML_SCALAR ||
                         (strncmp(smtp->text, "smtp://", 7) != 0 &&
                          strncmp(smtp->text, "smtps://", 8) != 0) ||
                         strpbrk(smtp->text, "@ \t\r\n") != NULL)) {
        lb_config_fault(faults, smtp->line, smtp->column, "smtp",
                        "must be smtps://host:465 or smtp://host:587, without "
                        "user and password");
    }
    if (from != NULL) {
        check_address(from, "from", faults);
    }
    if (to != NULL && to->kind != LB_YAML_LIST) {
        lb_config_fault(faults, to->line, to->column, "to",
                        "must be a list of addresses");
        return;
    }
    for (const struct lb_yaml *item = to == NULL ? NULL : to->child;
         item != NULL; item = item->next) {
        check_address(item, "to", faults);
        if (++count == RECIPIENTS_MAX + 1) {
            lb_config_fault(faults, item->line, item->column, "to",
                            "has more than %d addresses", RECIPIENTS_MAX);
        }
    }
}

/* --- who has it
 * ------------------------------------------------------------------------ */

/* Bits of recipients: whose copy was taken, whose was refused for good.  Kept
 * with the delivery as "taken/refused", in hex. */
struct copies {
    unsigned long taken;
    unsigned long refused;
};

static struct copies read_copies(const char *remote_id)
{
    struct copies copies = {0, 0};
    char *end = NULL;

    copies.taken = strtoul(remote_id, &end, 16);
    if (*end == '/') {
        copies.refused = strtoul(end + 1, NULL, 16);
    }
    return copies;
}

static int recipient_count(const struct destination *destination)
{
    int count = cJSON_GetArraySize(
        cJSON_GetObjectItemCaseSensitive(destination->body, "to"));

    return count > RECIPIENTS_MAX ? RECIPIENTS_MAX : count;
}

/* The first one from that on who has not been dealt with; -1: none. */
static int next_recipient(const struct destination *destination,
                          struct copies copies,
                          int from)
{
    for (int i = from; i < recipient_count(destination); i++) {
        if (((copies.taken | copies.refused) & (1UL << i)) == 0) {
            return i;
        }
    }
    return -1;
}

/* --- the mail
 * ------------------------------------------------------------------------ */

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x7f || (unsigned char)*text < ' ') {
            return false;
        }
    }
    return true;
}

static size_t char_bytes(const char *text)
{
    size_t len = 1;

    while (((unsigned char)text[len] & 0xc0) == 0x80) {
        len++;
    }
    return len;
}

/* RFC 2047, 4.2: a byte inside a Q-encoded word; returns how long it became. */
static size_t add_q(struct lb_buf *out, unsigned char byte)
{
    bool is_plain = (byte >= '0' && byte <= '9') ||
                    (byte >= 'A' && byte <= 'Z') ||
                    (byte >= 'a' && byte <= 'z');

    if (is_plain || byte == ' ') {
        lb_buf_printf(out, "%c", byte == ' ' ? '_' : byte);
        return 1;
    }
    lb_buf_printf(out, "=%02X", byte);
    return 3;
}

/* One word has 75 characters at most, and whole characters. */
static void add_encoded(struct lb_buf *out, const char *text)
{
    size_t used = 0;

    lb_buf_add_text(out, "=?UTF-8?Q?");
    while (*text != '\0') {
        size_t len = char_bytes(text);

        if (used + 3 * len > WORD_BYTES) {
            lb_buf_add_text(out, "?=\r\n =?UTF-8?Q?");
            used = 0;
        }
        for (size_t i = 0; i < len; i++) {
            used += add_q(out, (unsigned char)text[i]);
        }
        text += len;
    }
    lb_buf_add_text(out, "?=");
}

static const char *no_breaks(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f ? " " : NULL;
}

/* "[alice.bio] New lead: Zoe" */
static void add_subject(struct lb_buf *out, const struct facts *facts)
{
    const char *site = lb_json_text(facts->data, "site");
    const char *on = strstr(facts->title, " on ");
    struct lb_buf text;

    lb_buf_init(&text, TEXT_BYTES);
    lb_buf_printf(&text, "[%s] %.*s: ", site == NULL ? "linkbell" : site,
                  on == NULL ? (int)strlen(facts->title)
                             : (int)(on - facts->title),
                  facts->title);
    facts_add(&text,
              facts->contact_name != NULL && !facts->is_templated
                  ? facts->contact_name
                  : facts->summary,
              SUBJECT_UNITS, no_breaks);
    lb_buf_add_text(out, "Subject: ");
    if (is_ascii(lb_buf_text(&text))) {
        lb_buf_add_text(out, lb_buf_text(&text));
    } else {
        add_encoded(out, lb_buf_text(&text));
    }
    lb_buf_add_text(out, "\r\n");
    lb_buf_deinit(&text);
}

/* RFC 5322, 3.3, in UTC; instant is RFC 3339. */
static void add_date(struct lb_buf *out, const char *instant)
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun",
                                       "Mon", "Tue", "Wed"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec"};
    int64_t at_ms = 0;
    int64_t day;
    int64_t second;
    int64_t year;
    unsigned month;
    unsigned of_month;

    if (instant == NULL || !lb_zone_parse_instant(instant, &at_ms)) {
        at_ms = lb_clock_wall_ms();
    }
    day = at_ms / LB_MS_PER_DAY;
    second = at_ms % LB_MS_PER_DAY / LB_MS_PER_S;
    lb_clock_civil_from_days(day, &year, &month, &of_month);
    lb_buf_printf(out, "Date: %s, %02u %s %04d %02d:%02d:%02d +0000\r\n",
                  days[day % 7], of_month, months[month - 1], (int)year,
                  (int)(second / 3600), (int)(second / 60 % 60),
                  (int)(second % 60));
}

/* The host of the dashboard's address, for Message-ID. */
static void read_host(const struct facts *facts, char out[128])
{
    const char *at = facts->url == NULL ? NULL : strstr(facts->url, "://");
    size_t len = at == NULL ? 0 : strcspn(at + 3, ":/?#[]");

    (void)snprintf(out, 128, "%.*s",
                   len == 0    ? 8
                   : len > 120 ? 120
                               : (int)len,
                   len == 0 ? "linkbell" : at + 3);
}

static void add_headers(struct lb_buf *out,
                        const struct destination *destination,
                        const struct destination_message *message,
                        const struct facts *facts,
                        const char *to)
{
    const char *from = lb_json_text(destination->body, "from");
    const char *rule = lb_json_text(facts->data, "rule");
    char address[DESTINATION_MAIL_BYTES];
    char host[128];

    read_host(facts, host);
    lb_buf_printf(out, "From: %s\r\nTo: %s\r\n", from, to);
    add_subject(out, facts);
    add_date(out, facts->timestamp);
    lb_buf_printf(out, "Message-ID: <%s@%s>\r\n", message->id, host);
    if (strcmp(message->id, facts->alert) != 0) {
        lb_buf_printf(out, "In-Reply-To: <%s@%s>\r\nReferences: <%s@%s>\r\n",
                      facts->alert, host, facts->alert, host);
    }
    /* RFC 2369; whoever reads the sender's mail takes the address out. */
    if (strcmp(facts->type, "alert.digest") == 0 &&
        read_address(from, address)) {
        lb_buf_printf(out,
                      "List-Unsubscribe: <mailto:%s?subject=unsubscribe>\r\n",
                      address);
    }
    lb_buf_printf(out,
                  "Auto-Submitted: auto-generated\r\nX-Linkbell-Rule: "
                  "%s\r\nMIME-Version: 1.0\r\nContent-Type: "
                  "multipart/alternative; boundary=\"" BOUNDARY "\"\r\n\r\n",
                  rule == NULL ? "none" : rule);
}

static void
add_part(struct lb_buf *out, const char *type, const struct lb_buf *text)
{
    const char *bytes = lb_buf_text(text);

    lb_buf_printf(out,
                  "--" BOUNDARY "\r\nContent-Type: %s; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: base64\r\n\r\n",
                  type);
    for (size_t at = 0; at < text->len; at += LINE_BYTES) {
        size_t len = text->len - at < LINE_BYTES ? text->len - at : LINE_BYTES;

        lb_secret_add_base64(out, bytes + at, len);
        lb_buf_add_text(out, "\r\n");
    }
}

static void
add_text_part(struct lb_buf *out, const struct facts *facts, const char *id)
{
    struct lb_buf text;

    lb_buf_init(&text, TEXT_BYTES);
    facts_add(&text, facts->summary, VALUE_UNITS, NULL);
    lb_buf_add_text(&text, "\r\n\r\n");
    for (size_t i = 0; i < facts->row_count; i++) {
        lb_buf_printf(&text, "%s: ", facts->rows[i].name);
        facts_add(&text, facts->rows[i].value, VALUE_UNITS, NULL);
        lb_buf_add_text(&text, "\r\n");
    }
    lb_buf_printf(&text, "\r\n%s\r\n%s\r\n",
                  facts->url == NULL ? "" : facts->url, id);
    add_part(out, "text/plain", &text);
    lb_buf_deinit(&text);
}

static void
add_html_part(struct lb_buf *out, const struct facts *facts, const char *id)
{
    struct lb_buf text;

    lb_buf_init(&text, TEXT_BYTES);
    lb_buf_add_text(&text, "<!doctype html><html><body><h2>");
    facts_add(&text, facts->title, VALUE_UNITS, facts_escape_html);
    lb_buf_add_text(&text, "</h2><p>");
    facts_add(&text, facts->summary, VALUE_UNITS, facts_escape_html);
    lb_buf_add_text(&text, "</p><table>");
    for (size_t i = 0; i < facts->row_count; i++) {
        lb_buf_printf(&text, "<tr><td>%s</td><td>", facts->rows[i].name);
        facts_add(&text, facts->rows[i].value, VALUE_UNITS, facts_escape_html);
        lb_buf_add_text(&text, "</td></tr>");
    }
    lb_buf_add_text(&text, "</table>");
    if (facts->url != NULL) {
        lb_buf_add_text(&text, "<p><a href=\"");
        facts_add(&text, facts->url, VALUE_UNITS, facts_escape_html);
        lb_buf_add_text(&text, "\">Open in linkbell</a></p>");
    }
    lb_buf_printf(&text, "<p><small>%s</small></p></body></html>\r\n", id);
    add_part(out, "text/html", &text);
    lb_buf_deinit(&text);
}

static enum lb_err email_render(const struct destination *destination,
                                const struct destination_message *message,
                                struct destination_request *request,
                                struct lb_error *err)
{
    int index = next_recipient(destination, read_copies(message->remote_id),
                               message->step % STEP_TROUBLE);
    const cJSON *to = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(destination->body, "to"), index);
    const char *from = lb_json_text(destination->body, "from");
    struct facts facts;
    enum lb_err rc;

    if (index < 0 || !cJSON_IsString(to) || from == NULL ||
        !read_address(to->valuestring, request->mail_to) ||
        !read_address(from, request->mail_from)) {
        return lb_err_set(err, LB_EINVAL, "it has nobody to go to");
    }
    rc = facts_read(destination, message, &facts, err);
    if (rc != LB_OK) {
        return rc;
    }
    add_headers(&request->body, destination, message, &facts, to->valuestring);
    add_text_part(&request->body, &facts, message->id);
    add_html_part(&request->body, &facts, message->id);
    lb_buf_add_text(&request->body, "--" BOUNDARY "--\r\n");
    facts_free(&facts);
    return LB_OK;
}

/* A status is SMTP's last. */
static void email_judge(const struct destination *destination,
                        const struct destination_message *message,
                        const struct destination_answer *answer,
                        struct destination_verdict *verdict)
{
    struct copies copies = read_copies(message->remote_id);
    bool has_trouble = message->step >= STEP_TROUBLE;
    int index =
        next_recipient(destination, copies, message->step % STEP_TROUBLE);
    int next;

    if (answer->status == 530 || answer->status == 534 ||
        answer->status == 535) {
        verdict->outcome = DESTINATION_AUTH;
        return;
    }
    if (index < 0) {
        return;
    }
    if (answer->status >= 200 && answer->status < 300) {
        copies.taken |= 1UL << index;
    } else if (answer->status >= 500) {
        copies.refused |= 1UL << index;
    } else {
        has_trouble = true;
    }
    (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id), "%lx/%lx",
                   copies.taken, copies.refused);
    next = next_recipient(destination, copies, index + 1);
    if (next >= 0) {
        verdict->outcome = DESTINATION_NEXT;
        verdict->next_step = next + (has_trouble ? STEP_TROUBLE : 0);
    } else if (has_trouble) {
        verdict->outcome = DESTINATION_RETRY;
    } else {
        verdict->outcome =
            copies.refused == 0 ? DESTINATION_SUCCESS : DESTINATION_PERMANENT;
    }
}

const struct destination_type email_type = {.name = "email",
                                            .place = DESTINATION_MAIL,
                                            .login = DESTINATION_USER,
                                            .rate = "20/m",
                                            .keys = keys,
                                            .needs = needs,
                                            .check = check,
                                            .may_digest = true,
                                            .render = email_render,
                                            .judge = email_judge};
