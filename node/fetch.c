#include "node/fetch.h"

#include <curl/curl.h>

typedef struct body {
    fc_buf *buf; /* borrowed */
    size_t limit;
} body;

static size_t
take(char *bytes, size_t one, size_t size, void *user)
{
    body *b = user;
    (void)one; /* always 1 */
    if (size > b->limit - fc_buf_size(b->buf))
        return 0; /* ends the transfer: CURLE_WRITE_ERROR */
    fc_buf_append(b->buf, bytes, size);
    return size;
}

static CURLcode
perform(CURL *curl, const char *url, struct curl_slist *headers, uint32_t wait_ms, body *b, long *ret_status)
{
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)wait_ms);
    (void)curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)b->limit);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, b);
    CURLcode rc = curl_easy_perform(curl);
    if (rc == CURLE_OK)
        rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    return rc;
}

fc_err
nd_fetch(const char *url, const char *header, uint32_t wait_ms, size_t limit, fc_buf *ret_body, fc_fail *fail)
{
    long status = 0;
    body b = {.buf = ret_body, .limit = limit};
    CURL *curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    struct curl_slist *headers = curl_slist_append(NULL, header);
    if (curl == NULL || headers == NULL) {
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
        return fc_fail_set(fail, FC_ERR_INTERNAL, "no HTTP client can be made");
    }
    CURLcode rc = perform(curl, url, headers, wait_ms, &b, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    if (rc == CURLE_WRITE_ERROR || rc == CURLE_FILESIZE_EXCEEDED)
        return fc_fail_set(fail, FC_ERR_LIMIT, "%.100s answers with more than %zu bytes", url, limit);
    if (rc != CURLE_OK)
        return fc_fail_set(fail, FC_ERR_UNAVAILABLE, "%.100s: %s", url, curl_easy_strerror(rc));
    if (status != 200)
        return fc_fail_set(fail, FC_ERR_UNAVAILABLE, "%.100s answers with status %ld", url, status);
    return FC_OK;
}
