/* What 71_paged_download.c and 72_picture_download.c share: their web site, and libcurl. */
#include <curl/curl.h>
#include <kin.h>
#include <stdlib.h>
#include <unistd.h>

/* Starts 71_server.py, which ends when the popen is freed. Its port, or 0 where there is no nginx. */
static inline int start_site(kin_popen **ret_site)
{
    const char *const argv[] = { "/usr/bin/python3", "71_server.py", NULL };
    const kin_run_options *options = KIN_OPT(kin_run_options, .in = KIN_PIPE, .out = KIN_PIPE);
    KIN_CHECK(kin_popen_new(ret_site, argv, options));
    char port[8] = "";
    ssize_t size = read(kin_popen_stdout(*ret_site), port, sizeof port - 1);
    return size > 0 ? (int)strtol(port, NULL, 10) : 0;
}

/* Loads what is at the path into the file, and closes that. */
static inline CURLcode fetch(int port, const char *path, FILE *into)
{
    char url[200];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, into);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    fclose(into);
    return code;
}
