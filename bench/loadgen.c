/* Load for the gateways: HTTP/1.1 keep-alive, TLS 1.3, client certificates; closed loop, paced, or stalled readers.
 *
 *   loadgen --port N --requests FILE --expect BYTES [--connections N] [--seconds S] [--warm S] [--rate PER_SECOND]
 *           [--tls --ca PEM [--cert PEM --key PEM]] [--identities N] [--tokens N] [--count N] [--stall SECONDS] [--once]
 *
 * FILE holds whole requests, each as "<length>\n<bytes>"; they go out in turn over all connections. The last ten
 * characters of every x-api-tran-id are made new for each request and must come back: a mixed-up answer is an error.
 * It says "ready" when connections stand and are warm, waits for a line, works, and says the result as one JSON line;
 * so whoever measures the gateway's CPU sees neither handshakes nor warming.
 * Paced latency counts from the time a request was due, so a slow gateway cannot slow down its own measurement.
 *
 * With --identities, connection I uses certificate and key I mod N (the number replaces # in both paths) and sends only
 * requests R of the file with R mod N = I mod N. With --tokens, twelve digits that stand as base64 in each token (from
 * TOKEN_ZERO on) become a number below N; each number comes once in N requests, in no order. --count ends the run after
 * so many requests. --once calls once on every connection and leaves all of them idle until the second line of input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { OUT = 8192, HEAD = 16384, IN = 262144, MAX_CONNECTIONS = 20000, TAIL = 10, TRAN_ID = 25, STALL_RCVBUF = 32768,
       LOOKS = 20000, MAX_IDENTITIES = 1024, DIGITS = 12, STRIDE = 7919 };
static const char TOKEN_ZERO[] = "MDAwMDAwMDAwMDAw";   /* base64 of twelve zeros */
static const char PREFIX[] = "{\"rsp_code\":\"00000\"";

struct request { char *bytes; size_t len, tran, token; };
struct conn {
    int fd, busy, chunked, in_body;
    SSL *ssl;
    double since;
    size_t out_len, sent, head_len, got, left, line;   /* line: characters seen of a chunk's size line */
    char tran[TRAN_ID], out[OUT], head[HEAD];
};

static struct { int port, connections, tls, once; double seconds, warm, rate, stall; size_t expect, identities, tokens, count;
                const char *requests, *ca, *cert, *key; }
    opt = {.connections = 64, .seconds = 5, .expect = 2048, .identities = 1};
static struct request *requests;
static struct conn *conns, **idle;
static size_t n_requests, n_idle, n_busy, turn, n_done, n_errors, n_samples, room;
static float *samples;
static char first_error[160];
static SSL_CTX *tls[MAX_IDENTITIES];
static int loop, recording;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) { fprintf(stderr, "loadgen: %s (%s)\n", what, strerror(errno)); exit(2); }

static void read_requests(void)
{
    FILE *file = fopen(opt.requests, "rb");
    size_t len;
    if (!file) die(opt.requests);
    while (fscanf(file, "%zu", &len) == 1 && fgetc(file) == '\n') {
        if (len > OUT) die("a request is too long");
        requests = realloc(requests, (n_requests + 1) * sizeof *requests);
        struct request *one = &requests[n_requests++];
        one->bytes = malloc(len);
        one->len = len;
        if (fread(one->bytes, 1, len, file) != len) die("requests end early");
        char *tran = memmem(one->bytes, len, "x-api-tran-id: ", 15);
        if (!tran) die("a request has no x-api-tran-id");
        one->tran = (size_t)(tran - one->bytes) + 15;
        char *token = opt.tokens ? memmem(one->bytes, len, TOKEN_ZERO, sizeof TOKEN_ZERO - 1) : one->bytes;
        if (!token) die("a request has no token with a number");
        one->token = (size_t)(token - one->bytes);
    }
    fclose(file);
    if (!n_requests) die("no requests");
}

/* The path with the first # replaced by the number. */
static const char *numbered(const char *path, size_t number)
{
    static char text[4096];
    const char *mark = strchr(path, '#');
    if (!mark) return path;
    snprintf(text, sizeof text, "%.*s%zu%s", (int)(mark - path), path, number, mark + 1);
    return text;
}

static void prepare_tls(void)
{
    for (size_t i = 0; i < opt.identities; i++) {
        SSL_CTX *ctx = tls[i] = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        if (!opt.ca || SSL_CTX_load_verify_locations(ctx, opt.ca, NULL) != 1) die("--ca cannot be read");
        if (opt.cert && (SSL_CTX_use_certificate_chain_file(ctx, numbered(opt.cert, i)) != 1
                         || SSL_CTX_use_PrivateKey_file(ctx, numbered(opt.key, i), SSL_FILETYPE_PEM) != 1)) die("--cert, --key");
    }
}

static void open_conn(struct conn *c)
{
    int one = 1, small = STALL_RCVBUF;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)opt.port)};
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    memset(c, 0, offsetof(struct conn, tran));
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (opt.stall > 0) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&at, sizeof at)) die("connect");
    if (opt.tls) {
        c->ssl = SSL_new(tls[(size_t)(c - conns) % opt.identities]);
        SSL_set_fd(c->ssl, c->fd);
        if (SSL_connect(c->ssl) != 1) { ERR_print_errors_fp(stderr); die("handshake"); }
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
    idle[n_idle++] = c;
}

static void watch(struct conn *c, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &event);
}

static void finish(struct conn *c, const char *wrong)
{
    n_busy--;
    if (recording) {
        if (n_samples == room) samples = realloc(samples, (room = room ? room * 2 : 65536) * sizeof *samples);
        samples[n_samples++] = (float)((now() - c->since) * 1000);
        n_done++;
    }
    if (wrong) {
        n_errors++;
        if (!*first_error) snprintf(first_error, sizeof first_error, "%s", wrong);
        if (c->ssl) SSL_free(c->ssl);
        close(c->fd);
        open_conn(c);
        return;
    }
    c->busy = 0;
    idle[n_idle++] = c;
}

/* Bytes moved, 0 when the socket would block, -1 when the connection is over. */
static ssize_t move(struct conn *c, void *bytes, size_t n, int writing)
{
    if (!c->ssl) {
        ssize_t moved = writing ? send(c->fd, bytes, n, MSG_NOSIGNAL) : recv(c->fd, bytes, n, 0);
        if (moved > 0) return moved;
        return moved < 0 && errno == EAGAIN ? 0 : -1;
    }
    size_t moved = 0;
    int ok = writing ? SSL_write_ex(c->ssl, bytes, n, &moved) : SSL_read_ex(c->ssl, bytes, n, &moved);
    if (ok == 1) return (ssize_t)moved;
    int why = SSL_get_error(c->ssl, ok);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void push(struct conn *c)
{
    while (c->sent < c->out_len) {
        ssize_t wrote = move(c, c->out + c->sent, c->out_len - c->sent, 1);
        if (wrote < 0) { finish(c, "connection lost while sending"); return; }
        if (wrote == 0) { watch(c, EPOLLIN | EPOLLOUT); return; }
        c->sent += (size_t)wrote;
    }
}

/* Writes a number of twelve digits as base64: three digits become four characters. */
static void write_number(char *at, size_t number)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char digits[32];
    snprintf(digits, sizeof digits, "%012zu", number);
    for (const char *from = digits; from < digits + DIGITS; from += 3, at += 4) {
        unsigned bits = (unsigned)from[0] << 16 | (unsigned)from[1] << 8 | (unsigned)from[2];
        for (int i = 0; i < 4; i++) at[i] = letters[bits >> (18 - 6 * i) & 63];
    }
}

static void ask(double since)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    struct conn *c = idle[--n_idle];
    static size_t turns[MAX_IDENTITIES];
    size_t own = (size_t)(c - conns) % opt.identities, each = n_requests / opt.identities;
    const struct request *one = &requests[own + opt.identities * (turns[own]++ % each)];
    size_t number = ++turn;
    memcpy(c->out, one->bytes, one->len);
    if (opt.tokens) write_number(c->out + one->token, number * STRIDE % opt.tokens);
    for (char *at = c->out + one->tran + TRAN_ID, *first = at - TAIL; at > first; number /= 36) *--at = digits[number % 36];
    memcpy(c->tran, c->out + one->tran, TRAN_ID);
    c->out_len = one->len;
    c->sent = c->head_len = c->got = c->left = c->line = 0;
    c->in_body = c->chunked = 0;
    c->busy = 1;
    c->since = since;
    n_busy++;
    push(c);
}

/* Counts body bytes, chunk framing left out. Returns 1 at the end, 0 when more must come, -1 when they are wrong. */
static int body(struct conn *c, const char *at, size_t n)
{
    while (n) {
        if (c->chunked && !c->left) {                /* within a size line, or the CR LF that ends a chunk */
            c->head[c->line++] = *at;
            if (*at == '\n' && c->line > 2) {
                c->head[c->line] = 0;
                c->left = strtoul(c->head, NULL, 16);
                c->line = 0;
                if (!c->left) c->chunked = 2;        /* the last chunk: only an empty line follows */
            } else if (*at == '\n' && c->chunked == 2) return c->got == opt.expect && n == 1 ? 1 : -1;
            else if (*at == '\n') c->line = 0;
            if (c->line > 32) return -1;
            at++, n--;
            continue;
        }
        size_t some = n < c->left ? n : c->left;
        for (size_t i = 0; c->got + i < sizeof PREFIX - 1 && i < some; i++) if (at[i] != PREFIX[c->got + i]) return -1;
        c->got += some, c->left -= some, at += some, n -= some;
        if (!c->left && !c->chunked) return n == 0 && c->got == opt.expect ? 1 : -1;
    }
    return 0;
}

/* Reads the head: bytes of body that came with it are at the end of c->head. 1 whole, 0 not yet, -1 wrong. */
static int head(struct conn *c, const char *at, size_t n, size_t *rest, char *wrong)
{
    size_t take = n < HEAD - 1 - c->head_len ? n : HEAD - 1 - c->head_len;
    memcpy(c->head + c->head_len, at, take);
    c->head_len += take;
    c->head[c->head_len] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return take < n ? -1 : 0;
    *rest = n - ((size_t)(end + 4 - c->head) - (c->head_len - take));
    end[2] = 0;
    if (strncmp(c->head, "HTTP/1.1 200", 12)) { snprintf(wrong, 160, "status line %.60s", c->head); return -1; }
    const char *length = strcasestr(c->head, "\ncontent-length:"), *tran = strcasestr(c->head, "\nx-api-tran-id:");
    if (!tran || memcmp(tran + 15 + (tran[15] == ' '), c->tran, TRAN_ID)) { strcpy(wrong, "x-api-tran-id"); return -1; }
    if (length) c->left = strtoul(length + 16, NULL, 10);
    else if (strcasestr(c->head, "\ntransfer-encoding: chunked")) c->chunked = 1;
    if (length && c->left != opt.expect) { snprintf(wrong, 160, "length %zu", c->left); return -1; }
    c->in_body = 1;
    return 1;
}

static void pull(struct conn *c)
{
    static char in[IN];
    for (;;) {
        char wrong[160] = "answer not understood";
        ssize_t n = move(c, in, IN, 0);
        if (n == 0) return;
        if (n < 0 || !c->busy) {
            if (!c->busy) { n_busy++; for (size_t i = 0; i < n_idle; i++) if (idle[i] == c) idle[i] = idle[--n_idle]; }
            finish(c, n < 0 ? "connection closed by the gateway" : "bytes nobody asked for");
            return;
        }
        size_t rest = (size_t)n;
        int state = c->in_body ? 1 : head(c, in, (size_t)n, &rest, wrong);
        if (state == 1) state = rest || !opt.expect ? body(c, in + n - rest, rest) : 0;
        if (state) { finish(c, state < 0 ? wrong : NULL); return; }
    }
}

/* Looks again and again before it sleeps. Waking a sleeper on another core costs whoever writes to it an interrupt; with
   a slow gateway in between everybody sleeps often, and the slow one would pay for it, the fast one not. */
static int ready(struct epoll_event *events, int most)
{
    for (int looks = 0; looks < LOOKS; looks++) {
        int n = epoll_wait(loop, events, most, 0);
        if (n) return n;
        sched_yield();
    }
    return epoll_wait(loop, events, most, -1);
}

static void turn_loop(double until)
{
    struct epoll_event events[256];
    static int timer = -1;
    if (timer < 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
        epoll_ctl(loop, EPOLL_CTL_ADD, timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), &event);
    }
    struct itimerspec at = {.it_value = {(time_t)until, (long)((until - (double)(time_t)until) * 1e9) + 1}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    int n = ready(events, 256);
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        if (!c) { uint64_t fired; if (read(timer, &fired, sizeof fired) < 0) {} continue; }
        if (events[i].events & EPOLLOUT) { watch(c, EPOLLIN); push(c); }
        if (events[i].events & ~(unsigned)EPOLLOUT) pull(c);
    }
}

/* Works for so many seconds, then lets what is under way come home. Returns how long it all took. */
static double work(double seconds, double rate)
{
    double start = now(), end = start + seconds, give_up = end + 20, t;
    size_t most = recording && opt.count ? opt.count : SIZE_MAX;
    for (size_t k = 0; (t = now()) < end && k < most;) {
        double due = start + (double)k / (rate > 0 ? rate : 1);
        while (n_idle && k < most && (rate <= 0 || due <= t)) {
            ask(rate > 0 ? due : t);
            due = start + (double)++k / (rate > 0 ? rate : 1);
        }
        turn_loop(rate > 0 && n_idle && due < end ? due : end);
    }
    while (n_busy && now() < give_up) turn_loop(give_up);
    if (n_busy) { n_errors += n_busy; snprintf(first_error, sizeof first_error, "%zu answers never came", n_busy); }
    return now() - start;
}

static double stalled(void)
{
    double start = now(), give_up = start + opt.stall + 60;
    while (n_idle) ask(start);
    struct timespec pause = {(time_t)opt.stall, (long)((opt.stall - (double)(time_t)opt.stall) * 1e9)};
    nanosleep(&pause, NULL);
    while (n_busy && now() < give_up) turn_loop(give_up);
    n_errors += n_busy;
    return now() - start;
}

/* Opens a connection and calls once on it: a gateway need not wait for the first call while others are opened. */
static void open_and_call(struct conn *c)
{
    double give_up = now() + 20;
    size_t open = n_idle;
    open_conn(c);
    ask(now());
    while (n_busy && now() < give_up) turn_loop(give_up);
    if (n_errors) die(first_error);
    if (n_busy || n_idle != open + 1) die("an answer never came");
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(double part)
{
    return n_samples ? (double)samples[(size_t)(part * (double)(n_samples - 1))] : 0;
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, 0, 'p'}, {"requests", 1, 0, 'r'}, {"expect", 1, 0, 'e'}, {"connections", 1, 0, 'c'},
        {"seconds", 1, 0, 's'}, {"warm", 1, 0, 'w'}, {"rate", 1, 0, 'R'}, {"tls", 0, 0, 't'}, {"ca", 1, 0, 'a'},
        {"cert", 1, 0, 'C'}, {"key", 1, 0, 'k'}, {"stall", 1, 0, 'S'}, {"identities", 1, 0, 'i'}, {"tokens", 1, 0, 'T'},
        {"count", 1, 0, 'n'}, {"once", 0, 0, 'o'}, {0, 0, 0, 0}};
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (o) {
        case 'p': opt.port = atoi(optarg); break;
        case 'r': opt.requests = optarg; break;
        case 'e': opt.expect = strtoul(optarg, NULL, 10); break;
        case 'c': opt.connections = atoi(optarg); break;
        case 's': opt.seconds = atof(optarg); break;
        case 'w': opt.warm = atof(optarg); break;
        case 'R': opt.rate = atof(optarg); break;
        case 't': opt.tls = 1; break;
        case 'a': opt.ca = optarg; break;
        case 'C': opt.cert = optarg; break;
        case 'k': opt.key = optarg; break;
        case 'S': opt.stall = atof(optarg); break;
        case 'i': opt.identities = strtoul(optarg, NULL, 10); break;
        case 'T': opt.tokens = strtoul(optarg, NULL, 10); break;
        case 'n': opt.count = strtoul(optarg, NULL, 10); break;
        case 'o': opt.once = 1; break;
        default: exit(1);
    }
    if (!opt.port || !opt.requests || opt.connections < 1 || opt.connections > MAX_CONNECTIONS) {
        fprintf(stderr, "loadgen needs --port, --requests and 1 to %d --connections\n", MAX_CONNECTIONS);
        exit(1);
    }
    if (opt.identities < 1 || opt.identities > MAX_IDENTITIES) { fprintf(stderr, "1 to %d --identities\n", MAX_IDENTITIES); exit(1); }
}

int main(int argc, char **argv)
{
    char line[64];
    read_options(argc, argv);
    read_requests();
    signal(SIGPIPE, SIG_IGN);
    if (opt.tls) prepare_tls();
    loop = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)opt.connections, sizeof *conns);
    idle = calloc((size_t)opt.connections, sizeof *idle);
    if (n_requests % opt.identities) die("--identities must divide the number of requests");
    for (int i = 0; i < opt.connections; i++) if (opt.once) open_and_call(&conns[i]); else open_conn(&conns[i]);
    if (opt.warm > 0 && !opt.once) work(opt.warm, 0);
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
    recording = 1;
    double took = opt.once ? 1 : opt.stall > 0 ? stalled() : work(opt.seconds, opt.rate);
    for (char *at = first_error; *at; at++) if (*at < ' ' || *at == '"' || *at == '\\') *at = ' ';   /* JSON stays JSON */
    qsort(samples, n_samples, sizeof *samples, ascending);
    printf("{\"requests\":%zu,\"errors\":%zu,\"seconds\":%.4f,\"rps\":%.1f,\"p50_ms\":%.4f,\"p90_ms\":%.4f,"
           "\"p99_ms\":%.4f,\"p999_ms\":%.4f,\"max_ms\":%.4f,\"first_error\":\"%s\"}\n", n_done, n_errors, took,
           (double)n_done / took, percentile(.5), percentile(.9), percentile(.99), percentile(.999), percentile(1), first_error);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) {}
    return 0;
}
