/* test_agent.c - device, browser and system: the rules in tables of cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/agent.h"
#include "tests/support/cases.h"

#define CHROME                                                                 \
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
#define NO AGENT_NO_VERSION

static int set_up(void **state)
{
    *state = agent_table_new();
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    agent_table_free(*state);
    return 0;
}

static struct agent read_agent(void **state, const char *text)
{
    return agent_read(*state, text, strlen(text));
}

static void all_cases_of_the_data_come_out(void **state)
{
    cJSON *cases = cases_load("user_agents.json");
    const cJSON *row;
    int count = 0;

    cJSON_ArrayForEach (row, cases) {
        const char *text = cases_text(row, "user_agent");
        struct agent got = read_agent(state, text);

        if (cases_text(row, "device") == NULL) {
            continue;
        }
        count++;
        if (strcmp(got.device, cases_text(row, "device")) != 0 ||
            strcmp(got.browser, cases_text(row, "browser")) != 0 ||
            strcmp(got.os, cases_text(row, "os")) != 0) {
            fail_msg("%s: %s, %s, %s", text, got.device, got.browser, got.os);
        }
    }
    assert_int_equal(count, 40);
    cJSON_Delete(cases);
}

static void the_first_device_that_holds_wins(void **state)
{
    static const struct {
        const char *text;
        const char *device;
    } cases[] = {
        {"", ""},
        {"Mozilla/5.0", ""},
        {"mozilla/5.0 (windows nt 10.0) iphone", ""}, /* case matters */
        {"Mozilla/5.0 (Linux; Android 9; AFTMM Build/PS7233) Silk/98", "TV"},
        {"Mozilla/5.0 (Linux; Android 9; AFTER) Mobi", "TV"},
        {"Mozilla/5.0 (Linux; Android 9; AFTer) Mobi", "Mobile"},
        {"Mozilla/5.0 (Linux; Android 9; AFTer AFTB) Mobi", "TV"},
        {"Mozilla/5.0 (Linux; Android 9; AFT", "Tablet"},
        {"Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) Mobi iPad", "TV"},
        {"Mozilla/5.0 (Web0S; Linux/SmartTV)", "TV"},
        {"Roku/DVP-9.10", "TV"},
        {"Mozilla/5.0 (X11; Linux armv7l) CrKey/1.54.250320", "TV"},
        {"Mozilla/5.0 (Linux; Android 12; Chromecast) Android TV Mobi", "TV"},
        {"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) Mobile/1", "Tablet"},
        {"Mozilla/5.0 (Linux; Android 13; SM-X700) Safari/537.36", "Tablet"},
        {"Mozilla/5.0 (Linux; Android 13; SM-X700) Mobile Safari", "Mobile"},
        {"Mozilla/5.0 (Linux; U; en-us; KFTT) Silk/3.4 Safari", "Tablet"},
        {"Mozilla/5.0 (Linux; U; en-us; KFTT) Silk/3.4 Mobile", "Mobile"},
        {"Mozilla/5.0 (Windows NT 6.1; Tablet PC 2.0)", "Tablet"},
        {"Mozilla/5.0 (PlayBook; U; RIM Tablet OS 2.1.0)", "Tablet"},
        {"Mozilla/5.0 (Windows Phone 10.0; Android 4.2.1) Mobile", "Mobile"},
        {"Opera/9.80 (J2ME/MIDP; Opera Mini/7.1) Presto", "Mobile"},
        {"Nokia6300/2.0 Profile/MIDP-2.0", "Mobile"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Desktop"},
        {"Mozilla/4.0 (compatible; MSIE 6.0; Windows 98)", "Desktop"},
        {"Mozilla/4.0 (compatible; MSIE 5.0; Windows 95)", ""},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "Desktop"},
        {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)", "Desktop"},
        {"Mozilla/5.0 (Linux x86_64)", "Desktop"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct agent got = read_agent(state, cases[i].text);

        if (strcmp(got.device, cases[i].device) != 0) {
            fail_msg("%s: device \"%s\"", cases[i].text, got.device);
        }
    }
}

static void the_first_browser_that_holds_wins(void **state)
{
    static const struct {
        const char *text;
        const char *browser;
        int32_t version;
    } cases[] = {
        {"", "", NO},
        {"Mozilla/5.0 (Windows NT 10.0) " CHROME, "Chrome", 126},
        {"Mozilla/5.0 (X11) Ubuntu Chromium/80.0 Safari/1", "Chrome", 80},
        {"Mozilla/5.0 (iPhone) CriOS/148.0.7778.166 Mobile", "Chrome", 148},
        {CHROME " Edg/131.0.6778.33", "Edge", 131},
        {CHROME " EdgA/130.0", "Edge", 130},
        {"Version/17.0 EdgiOS/129.0 Safari/604.1", "Edge", 129},
        {CHROME " Edge/18.17763", "Edge", 18},
        {CHROME " OPR/110.0.0.0 Edg/131", "Edge", 131},
        {CHROME " OPR/110.0.0.0", "Opera", 110},
        {"Version/15 OPT/4.3.1 Safari/1", "Opera", 4},
        {"AppleWebKit OPiOS/16.0.15 Mobile", "Opera", 16},
        {"Opera/9.80 (Windows NT 6.1) Presto/2.12 Version/12.16", "Opera", 12},
        {"Opera/9.80 (Android; Opera Mini/36.2) Version/12.16", "Opera", 36},
        {"Opera/8.5 (X11; Linux)", "Opera", 8},
        {"Mozilla/4.0 (MSIE 6.0; Windows NT 5.1) Opera 7.54", "Opera", 7},
        {CHROME " SamsungBrowser/29.0", "Samsung Browser", 29},
        {CHROME " YaBrowser/26.8.3", "Yandex Browser", 26},
        {"UCWEB7.0.2.37/28/999", "UC Browser", 7},
        {"Mozilla/5.0 (Linux) UCBrowser/12.13 Mobile", "UC Browser", 12},
        {CHROME " Vivaldi/6.7", "Vivaldi", 6},
        {"Silk/98.6.10 like Chrome/98.0 Safari/537.36", "Silk", 98},
        {"Version/26.5.2 Mobile Safari/604.1 Brave", "Brave", NO},
        {CHROME " Brave/1.2", "Brave", 1},
        {CHROME " xBrave", "Chrome", 126},
        {"Gecko/20100101 Firefox/153.0", "Firefox", 153},
        {"Gecko/20040614 Firefox/0.8", "Firefox", 0},
        {"AppleWebKit FxiOS/155 Mobile Version/26.4", "Firefox", 155},
        {"(compatible; MSIE 8.0; Trident/4.0)", "Internet Explorer", 8},
        {"(Trident/7.0; rv:11.0) like Gecko", "Internet Explorer", 11},
        {"(Trident/7.0) like Gecko", "Internet Explorer", NO},
        {"(Linux; U; Android 2.3.4) Version/4.0 Mobile Safari/534.30",
         "Android Browser", 4},
        {"Version/4.0 (Linux; Android 2.3.4) Safari/534.30", "Safari", 4},
        {"Version/17.5 Mobile/15E148 Safari/604.1", "Safari", 17},
        {"Safari/604.1 Version/17.5", "", NO},
        {"Safari/604.1 Version/17.5 Safari/1", "Safari", 17},
        {"Safari/604.1", "", NO},
        {"(iPhone; CPU) AppleWebKit/605.1.15 Mobile", "Mobile App", NO},
        {"(iPad; CPU) AppleWebKit/605.1.15 Mobile", "Mobile App", NO},
        {"(iPod) AppleWebKit/605.1.15 Mobile", "Mobile App", NO},
        {"AppleWebKit/605.1.15 iPhone", "", NO},
        /* apps before the browsers that they are made of */
        {CHROME " Instagram 338.0.0.47.90 Android", "Instagram", 338},
        {CHROME " Barcelona 289.0.0.77.109", "Threads", 289},
        {"Barcelona", "", NO},
        {"[FBAN/FBIOS;FBAV/470.0.0.39.109;]", "Facebook", 470},
        {CHROME " [FB_IAB/FB4A;FBAV/440.0.0.29.113;]", "Facebook", 440},
        {CHROME " [FB_IAB/FB4A]", "Facebook", NO},
        {CHROME " MetaIAB Facebook", "Facebook", NO},
        {"Mobile musical_ly_35.3.0 BytedanceWebview/d8a", "TikTok", 35},
        {"trill_2022903040 app_version/29.3.4", "TikTok", 29},
        {"trill_2022903040", "TikTok", NO},
        {CHROME " BytedanceWebview/d8a21c6", "TikTok", NO},
        {CHROME " TikTok 34.1.2", "TikTok", 34},
        {"Mobile/15E148 [LinkedInApp]/9.29.8433", "LinkedIn", 9},
        {"Mobile/15E148 [Pinterest/iOS]", "Pinterest", NO},
        {"Version/26.6.1 Snapchat/14.25.0.48", "Snapchat", 14},
        {"Mobile Twitter for iPhone/10.34", "X (Twitter)", 10},
        {"Mobile Twitter for iPhone", "X (Twitter)", NO},
        {CHROME " TwitterAndroid", "X (Twitter)", NO},
        {CHROME " MicroMessenger/8.0.49", "WeChat", 8},
        {"Mobile Safari Line/14.5.0", "LINE", 14},
        {"Mobile Safari Inline/14.5.0", "", NO},
        {"Safari KAKAOTALK 10.4.5", "KakaoTalk", 10},
        {"Safari KAKAOTALK/10.4.5", "KakaoTalk", 10},
        {"GSA/319.0.638705450 Mobile Safari", "Google App", 319},
        {CHROME " DuckDuckGo/5", "DuckDuckGo", 5},
        {"Version/17.4 Ddg/17.4", "DuckDuckGo", 17},
        {CHROME " Snapchat/14 Instagram", "Instagram", NO},
        {"Chrome/1234567 ", "Chrome", NO}, /* no major number is so long */
        {"Chrome/", "Chrome", NO},
        {"Chrome/x Chrome/7.", "Chrome", 7},
        {"Chrome//7", "Chrome", 7},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct agent got = read_agent(state, cases[i].text);

        if (strcmp(got.browser, cases[i].browser) != 0 ||
            got.browser_version != cases[i].version) {
            fail_msg("%s: browser \"%s\" %d", cases[i].text, got.browser,
                     (int)got.browser_version);
        }
    }
}

static void the_first_system_that_holds_wins(void **state)
{
    static const struct {
        const char *text;
        const char *os;
        int32_t version;
    } cases[] = {
        {"", "", NO},
        {"(Windows Phone 10.0; Android 4.2.1)", "Windows Phone", 10},
        {"(Windows Phone OS 7.5; Trident/5.0)", "Windows Phone", 7},
        {"(iPhone; CPU iPhone OS 17_5_1 like Mac OS X)", "iOS", 17},
        {"(iPad; CPU OS 18_7 like Mac OS X)", "iOS", 18},
        {"(iPod; U; CPU iPhone OS 4_3_3 like Mac OS X)", "iOS", 4},
        {"(iPhone; CPU like Mac OS X; en) FxiOS/155", "iOS", NO},
        {"App/1 (iPhone14,5; iOS 17_5_1; en_US)", "iOS", 17},
        {"(Linux; Android 14; Pixel 8)", "Android", 14},
        {"(Android 16; Mobile; rv:153.0)", "Android", 16},
        {"(Android; Mobile; rv:40.0)", "Android", NO},
        {"Android (33/13) Android 13", "Android", 13},
        {"(Windows NT 10.0; Win64; x64)", "Windows", 10},
        {"(Windows; U; Windows NT 6.1; en-US)", "Windows", 6},
        {"(MSIE 6.0; Windows 98; Win 9x 4.90)", "Windows", 98},
        {"(X11; CrOS x86_64 14541.0.0)", "Chrome OS", 14541},
        {"(X11; CrOS aarch64 15236.80.0)", "Chrome OS", 15236},
        {"(X11; CrOS)", "Chrome OS", NO},
        {"(Macintosh; Intel Mac OS X 10_15_7)", "Mac", 10},
        {"(Macintosh; Intel Mac OS X 14.5; rv:127.0)", "Mac", 14},
        {"(Macintosh; PPC)", "Mac", NO},
        {"Mac OS X/10.6.8", "Mac", 10},
        {"(X11; Linux x86_64)", "GNU/Linux", NO},
        {"(X11; FreeBSD amd64)", "GNU/Linux", NO},
        {"BlackBerry9700/5.0.0.423", "", NO},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct agent got = read_agent(state, cases[i].text);

        if (strcmp(got.os, cases[i].os) != 0 ||
            got.os_version != cases[i].version) {
            fail_msg("%s: os \"%s\" %d", cases[i].text, got.os,
                     (int)got.os_version);
        }
    }
}

static void
what_stands_behind_the_first_kilobyte_counts_for_nothing(void **state)
{
    char text[2 * AGENT_BYTES];
    struct agent got;

    memset(text, 'x', sizeof(text));
    memcpy(text + AGENT_BYTES - 8, "Firefox/153", 11);
    got = agent_read(*state, text, sizeof(text));
    assert_string_equal(got.browser, "Firefox");
    assert_int_equal(got.browser_version, NO);
    memcpy(text + AGENT_BYTES - 8, "xFirefox", 8);
    got = agent_read(*state, text, sizeof(text));
    assert_string_equal(got.browser, "");
}

static void what_is_unknown_is_no_text_of_the_entry(void **state)
{
    struct lb_arena *arena = lb_arena_new(4096);
    struct entry entry = {0};
    struct agent agent;

    agent = read_agent(state, "(Windows NT 10.0) Firefox/0.8");
    assert_int_equal(agent_fill(&agent, &entry, arena), LB_OK);
    assert_string_equal(entry.text[ENTRY_TEXT_DEVICE], "Desktop");
    assert_string_equal(entry.text[ENTRY_TEXT_BROWSER], "Firefox");
    assert_string_equal(entry.text[ENTRY_TEXT_BROWSER_VERSION], "0");
    assert_string_equal(entry.text[ENTRY_TEXT_OS], "Windows");
    assert_string_equal(entry.text[ENTRY_TEXT_OS_VERSION], "10");
    memset(&entry, 0, sizeof(entry));
    agent = read_agent(state, "curl/8.5");
    assert_int_equal(agent_fill(&agent, &entry, arena), LB_OK);
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        assert_null(entry.text[i]);
    }
    lb_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_cases_of_the_data_come_out),
        cmocka_unit_test(the_first_device_that_holds_wins),
        cmocka_unit_test(the_first_browser_that_holds_wins),
        cmocka_unit_test(the_first_system_that_holds_wins),
        cmocka_unit_test(
            what_stands_behind_the_first_kilobyte_counts_for_nothing),
        cmocka_unit_test(what_is_unknown_is_no_text_of_the_entry),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
