/* New mutual-TLS connections, each with one call: connect, full TLS 1.3 handshake, GET, whole answer, close.
 *
 *   handshakes --port N --requests FILE --expect BYTES --ca PEM --cert PEM --key PEM [--processes N] [--seconds S]
 *
 * A client of TLS 1.3 is done before the server has checked its certificate; the answer proves that it was accepted.
 * No session is resumed. Several processes work one after the other, so the gateway always has connections waiting.
 * It says "ready", waits for a line, works, and says the result as one JSON line like that of loadgen; a request is one
 * connection with its call.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUT = 8192, IN = 65536, SAMPLES = 1 << 20, MAX_PROCESSES = 64 };

static struct { int port, processes; double seconds; size_t expect; const char *requests, *ca, *cert, *key; }
    opt = {.processes = 8, .seconds = 2, .expect = 2048};
static struct { size_t done, errors; char first_error[160]; float samples[SAMPLES]; } *shared;
static char request[OUT];
static int request_len;
static SSL_CTX *tls;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) { fprintf(stderr, "handshakes: %s (%s)\n", what, strerror(errno)); exit(2); }

static void read_request(void)
{
    FILE *file = fopen(opt.requests, "rb");
    if (!file || fscanf(file, "%d", &request_len) != 1 || fgetc(file) != '\n' || request_len > OUT) die(opt.requests);
    if (fread(request, 1, (size_t)request_len, file) != (size_t)request_len) die("requests end early");
    fclose(file);
}

static void prepare_tls(void)
{
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    if (!opt.ca || SSL_CTX_load_verify_locations(tls, opt.ca, NULL) != 1) die("--ca cannot be read");
    if (!opt.cert || !opt.key || SSL_CTX_use_certificate_chain_file(tls, opt.cert) != 1
        || SSL_CTX_use_PrivateKey_file(tls, opt.key, SSL_FILETYPE_PEM) != 1) die("--cert, --key");
}

/* Reads one answer. NULL when it is status 200 with all expected bytes, else what is wrong. */
static const char *answer(SSL *ssl)
{
    static char in[IN];
    size_t have = 0;
    for (;;) {
        int n = SSL_read(ssl, in + have, (int)(IN - 1 - have));
        if (n <= 0) return "connection closed by the gateway";
        have += (size_t)n;
        in[have] = 0;
        char *end = strstr(in, "\r\n\r\n");
        if (!end) continue;
        if (strncmp(in, "HTTP/1.1 200", 12)) return "another status";
        if (have - (size_t)(end + 4 - in) >= opt.expect) return NULL;
        if (have == IN - 1) return "an answer is too long";
    }
}

static const char *call(void)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)opt.port)};
    struct timeval patience = {.tv_sec = 10};
    const char *wrong = "handshake";
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&at, sizeof at)) { close(fd); return "connect"; }
    SSL *ssl = SSL_new(tls);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1) {
        wrong = SSL_write(ssl, request, request_len) == request_len ? answer(ssl) : "connection lost while sending";
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(fd);
    return wrong;
}

static void work(double until)
{
    for (double began; (began = now()) < until;) {
        const char *wrong = call();
        size_t number = __atomic_fetch_add(&shared->done, 1, __ATOMIC_RELAXED);
        if (number < SAMPLES) shared->samples[number] = (float)((now() - began) * 1000);
        if (wrong && !__atomic_fetch_add(&shared->errors, 1, __ATOMIC_RELAXED)) strcpy(shared->first_error, wrong);
    }
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(double part)
{
    size_t n = shared->done < SAMPLES ? shared->done : SAMPLES;
    return n ? (double)shared->samples[(size_t)(part * (double)(n - 1))] : 0;
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, 0, 'p'}, {"requests", 1, 0, 'r'}, {"expect", 1, 0, 'e'}, {"seconds", 1, 0, 's'},
        {"processes", 1, 0, 'n'}, {"tls", 0, 0, 't'}, {"ca", 1, 0, 'a'}, {"cert", 1, 0, 'C'}, {"key", 1, 0, 'k'}, {0, 0, 0, 0}};
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (o) {
        case 'p': opt.port = atoi(optarg); break;
        case 'r': opt.requests = optarg; break;
        case 'e': opt.expect = strtoul(optarg, NULL, 10); break;
        case 's': opt.seconds = atof(optarg); break;
        case 'n': opt.processes = atoi(optarg); break;
        case 't': break;
        case 'a': opt.ca = optarg; break;
        case 'C': opt.cert = optarg; break;
        case 'k': opt.key = optarg; break;
        default: exit(1);
    }
    if (!opt.port || !opt.requests || opt.processes < 1 || opt.processes > MAX_PROCESSES) {
        fprintf(stderr, "handshakes needs --port, --requests and 1 to %d --processes\n", MAX_PROCESSES);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    char line[64];
    read_options(argc, argv);
    read_request();
    signal(SIGPIPE, SIG_IGN);
    prepare_tls();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) die("mmap");
    const char *wrong = call();
    if (wrong) die(wrong);
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) return 1;
    double start = now();
    for (int i = 0; i < opt.processes; i++) {
        pid_t child = fork();
        if (child < 0) die("fork");
        if (!child) { prctl(PR_SET_PDEATHSIG, SIGKILL); work(start + opt.seconds); _exit(0); }
    }
    while (wait(NULL) > 0) {}
    double took = now() - start;
    qsort(shared->samples, shared->done < SAMPLES ? shared->done : SAMPLES, sizeof *shared->samples, ascending);
    printf("{\"requests\":%zu,\"errors\":%zu,\"seconds\":%.4f,\"rps\":%.1f,\"p50_ms\":%.4f,\"p90_ms\":%.4f,"
           "\"p99_ms\":%.4f,\"p999_ms\":%.4f,\"max_ms\":%.4f,\"first_error\":\"%s\"}\n", shared->done, shared->errors, took,
           (double)shared->done / took, percentile(.5), percentile(.9), percentile(.99), percentile(.999), percentile(1),
           shared->first_error);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) {}
    return 0;
}
