/* detect_csv.c - rows of a `timestamp,value` CSV. */
#include "alerts/detect_csv.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define MILLISECONDS_FROM 1e11 /* as seconds this is the year 5138 */
#define EPOCH_MOST 1e14
#define YEAR_MOST 9999
#define SHOWN_BYTES 40 /* of a faulty cell, in an error */
#define INTERVAL_MOST_MS (31 * LB_MS_PER_DAY)

/* Cuts the next cell off *rest and takes blanks and quotes from around it; NULL
 * when there is none left. */
static char *next_cell(char **rest)
{
    char *cell = *rest;
    char *end;

    if (cell == NULL) {
        return NULL;
    }
    end = strchr(cell, ',');
    *rest = end == NULL ? NULL : end + 1;
    end = end == NULL ? cell + strlen(cell) : end;
    while (end > cell && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    *end = '\0';
    while (*cell == ' ' || *cell == '\t') {
        cell++;
    }
    if (end - cell >= 2 && *cell == '"' && end[-1] == '"') {
        end[-1] = '\0';
        cell++;
    }
    return cell;
}

enum lb_err detect_csv_read_header(char *line,
                                   struct detect_csv *csv_out,
                                   struct lb_error *err)
{
    const size_t none = SIZE_MAX;
    char *rest = strncmp(line, "\xEF\xBB\xBF", 3) == 0 ? line + 3 : line;
    size_t column = 0;

    *csv_out = (struct detect_csv){none, none};
    for (const char *cell = next_cell(&rest); cell != NULL;
         cell = next_cell(&rest)) {
        if (lb_text_is_same_folded(cell, "timestamp")) {
            csv_out->timestamp_column = column;
        } else if (lb_text_is_same_folded(cell, "value")) {
            csv_out->value_column = column;
        }
        column++;
    }
    if (csv_out->timestamp_column == none) {
        return lb_err_set(err, LB_EFORMAT,
                          "the header names no column `timestamp`; it must "
                          "name `timestamp` and `value`");
    }
    if (csv_out->value_column == none) {
        return lb_err_set(err, LB_EFORMAT,
                          "the header names no column `value`; it must name "
                          "`timestamp` and `value`");
    }
    return LB_OK;
}

/* --- timestamps ---------------------------------------------------------- */

/* Takes digits, exactly so many, and the character after them unless that is 0.
 */
static bool take_number(const char **at, int digits, char after, int *value_out)
{
    *value_out = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *value_out = *value_out * 10 + (**at - '0');
    }
    if (after == '\0') {
        return true;
    }
    return *(*at)++ == after;
}

static bool is_day(int year, int month, int day)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31};
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] + (month == 2 && is_leap);
}

static bool take_date(const char **at, int64_t *at_ms_out)
{
    int year;
    int month;
    int day;

    if (!take_number(at, 4, '-', &year) || !take_number(at, 2, '-', &month) ||
        !take_number(at, 2, '\0', &day) || !is_day(year, month, day)) {
        return false;
    }
    *at_ms_out =
        lb_clock_days_from_civil(year, (unsigned)month, (unsigned)day) *
        LB_MS_PER_DAY;
    return true;
}

/* ":SS" and ".fraction", each if it is there. */
static bool take_seconds(const char **at, int64_t *at_ms)
{
    int second = 0;
    int64_t unit_ms = 100;

    if (**at != ':') {
        return true;
    }
    (*at)++;
    if (!take_number(at, 2, '\0', &second) || second > 60) {
        return false;
    }
    *at_ms += second * LB_MS_PER_S;
    if (**at != '.') {
        return true;
    }
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++) {
        *at_ms += (**at - '0') * unit_ms;
        unit_ms /= 10;
    }
    return true;
}

/* "Z" or "+HH:MM"; what it says is not needed. */
static bool is_offset(const char *at)
{
    int hours;
    int minutes;

    if (*at == '\0' || strcmp(at, "Z") == 0) {
        return true;
    }
    if (*at != '+' && *at != '-') {
        return false;
    }
    at++;
    return take_number(&at, 2, ':', &hours) &&
           take_number(&at, 2, '\0', &minutes) && *at == '\0';
}

static bool read_date_time(const char *text, int64_t *at_ms_out)
{
    const char *at = text;
    int hour;
    int minute;

    if (!take_date(&at, at_ms_out)) {
        return false;
    }
    if (*at == '\0') {
        return true;
    }
    if (*at != ' ' && *at != 'T') {
        return false;
    }
    at++;
    if (!take_number(&at, 2, ':', &hour) ||
        !take_number(&at, 2, '\0', &minute) || hour > 23 || minute > 59) {
        return false;
    }
    *at_ms_out += hour * LB_MS_PER_HOUR + minute * LB_MS_PER_MIN;
    return take_seconds(&at, at_ms_out) && is_offset(at);
}

static bool read_number(const char *text, double *value_out)
{
    char *end;

    *value_out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value_out) &&
           strpbrk(text, "xX") == NULL;
}

static bool read_timestamp(const char *text, int64_t *at_ms_out)
{
    double number;

    if (read_date_time(text, at_ms_out)) {
        return true;
    }
    if (!read_number(text, &number) || number < 0 || number > EPOCH_MOST) {
        return false;
    }
    *at_ms_out = (int64_t)(number < MILLISECONDS_FROM ? number * 1000 : number);
    return true;
}

/* --- rows ---------------------------------------------------------------- */

static enum lb_err
refuse(struct lb_error *err, const char *what, const char *cell)
{
    return lb_err_set(err, LB_EFORMAT, "%s `%.*s`", what,
                      (int)lb_text_cut(cell, strlen(cell), SHOWN_BYTES), cell);
}

enum lb_err detect_csv_read_row(const struct detect_csv *csv,
                                char *line,
                                struct detect_csv_row *row_out,
                                struct lb_error *err)
{
    char *rest = line;
    size_t column = 0;

    memset(row_out, 0, sizeof(*row_out));
    for (const char *cell = next_cell(&rest); cell != NULL;
         cell = next_cell(&rest)) {
        if (column == csv->timestamp_column) {
            row_out->timestamp_text = cell;
        } else if (column == csv->value_column) {
            row_out->value_text = cell;
        }
        column++;
    }
    if (row_out->timestamp_text == NULL || row_out->value_text == NULL) {
        return lb_err_set(err, LB_EFORMAT,
                          "%zu cell%s, where the header names more", column,
                          column == 1 ? "" : "s");
    }
    if (!read_timestamp(row_out->timestamp_text, &row_out->at_ms)) {
        return refuse(err, "not a timestamp:", row_out->timestamp_text);
    }
    if (!read_number(row_out->value_text, &row_out->value)) {
        return refuse(err, "not a number:", row_out->value_text);
    }
    return LB_OK;
}

int64_t detect_csv_interval_ms(const char *text)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"s", LB_MS_PER_S},
                 {"m", LB_MS_PER_MIN},
                 {"h", LB_MS_PER_HOUR},
                 {"d", LB_MS_PER_DAY}};
    char *end;
    const long long count = strtoll(text, &end, 10);

    if (end == text || count < 1 || count > INTERVAL_MOST_MS / LB_MS_PER_S) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0) {
            return count * units[i].ms <= INTERVAL_MOST_MS ? count * units[i].ms
                                                           : -1;
        }
    }
    return -1;
}
