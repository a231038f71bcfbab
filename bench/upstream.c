/* A provider that costs next to nothing: static JSON answers over HTTP/1.1 keep-alive, one epoll loop.
 *
 *   upstream ADDRESS PORT:BYTES [PORT:BYTES ...]
 *
 * Every port answers any GET or POST with a body of its own size. The size hangs on the port and not on the path,
 * because every gateway can choose a provider by org_code, but not all of them forward unknown parameters.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PORTS = 8, IN = 65536, HEAD = 512, EVENTS = 256, LOOKS = 20000 };

struct port { int fd; char *body; size_t size; };
struct conn {
    int fd, closing;
    struct port *port;
    size_t have, head_len, sent, left;   /* left: bytes of answer still to go; 0 means none is under way */
    char head[HEAD], in[IN];
};

static int loop;

static void die(const char *what) { perror(what); exit(1); }

static char *body_of(size_t size)
{
    static const char begin[] = "{\"rsp_code\":\"00000\",\"rsp_msg\":\"ok\",\"reg_date\":\"20250101\",\"account_cnt\":\"0\","
                                "\"account_list\":[],\"filler\":\"";
    static const char end[] = "\"}";
    size_t fixed = sizeof begin - 1 + sizeof end - 1;
    if (size < fixed) { fprintf(stderr, "a body has at least %zu bytes\n", fixed); exit(1); }
    char *body = malloc(size);
    if (!body) die("malloc");
    memset(body, 'x', size);
    memcpy(body, begin, sizeof begin - 1);
    memcpy(body + size - (sizeof end - 1), end, sizeof end - 1);
    return body;
}

static int listen_on(const char *address, int number)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)number)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) { fprintf(stderr, "not an address: %s\n", address); exit(1); }
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) die("listen");
    return fd;
}

static void watch(struct conn *c, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(loop, EPOLL_CTL_MOD, c->fd, &event);
}

static void drop(struct conn *c) { close(c->fd); free(c); }

/* Value of a header within a head of n bytes; NULL when it is not there. */
static const char *header(const char *head, size_t n, const char *name, size_t *len)
{
    size_t width = strlen(name);
    for (const char *line = memchr(head, '\n', n), *end = head + n; line && line + 1 < end;
         line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
        const char *at = line + 1;
        if ((size_t)(end - at) <= width + 1 || at[width] != ':' || strncasecmp(at, name, width)) continue;
        for (at += width + 1; *at == ' '; at++) {}
        *len = strcspn(at, "\r\n");
        return at;
    }
    return NULL;
}

/* 1 when the answer is out, 0 when the socket is full, -1 when the peer is gone. */
static int push(struct conn *c)
{
    while (c->left) {
        struct iovec parts[2];
        int n = 0;
        size_t of_body = c->sent > c->head_len ? c->sent - c->head_len : 0;
        if (c->sent < c->head_len) parts[n++] = (struct iovec){c->head + c->sent, c->head_len - c->sent};
        parts[n++] = (struct iovec){c->port->body + of_body, c->port->size - of_body};
        ssize_t wrote = writev(c->fd, parts, n);
        if (wrote < 0) return errno == EAGAIN ? 0 : -1;
        c->sent += (size_t)wrote;
        c->left -= (size_t)wrote;
    }
    return 1;
}

/* Takes one request out of the input and makes its answer: 1 made, 0 not yet whole, -1 not understood. */
static int take(struct conn *c)
{
    char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end) return c->have == IN - 1 ? -1 : 0;
    size_t head = (size_t)(end - c->in) + 4, len, body = 0;
    const char *value;
    if (header(c->in, head, "transfer-encoding", &len)) return -1;
    if ((value = header(c->in, head, "content-length", &len))) body = strtoul(value, NULL, 10);
    if (head + body > IN - 1) return -1;
    if (c->have < head + body) return 0;
    c->closing = (value = header(c->in, head, "connection", &len)) && !strncasecmp(value, "close", 5);
    if (!(value = header(c->in, head, "x-api-tran-id", &len))) { value = ""; len = 0; }
    c->head_len = (size_t)snprintf(c->head, HEAD,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %zu\r\n"
        "x-api-tran-id: %.*s\r\n%s\r\n", c->port->size, (int)(len < 64 ? len : 64), value,
        c->closing ? "Connection: close\r\n" : "");
    c->sent = 0;
    c->left = c->head_len + c->port->size;
    c->have -= head + body;
    memmove(c->in, c->in + head + body, c->have + 1);
    return 1;
}

static void serve(struct conn *c, unsigned events)
{
    if (!c->left) {
        ssize_t got = read(c->fd, c->in + c->have, IN - 1 - c->have);
        if (got <= 0) { if (got == 0 || errno != EAGAIN) drop(c); return; }
        c->have += (size_t)got;
        c->in[c->have] = 0;
    }
    for (int made = 1; c->left || (made = take(c)) != 0;) {
        int out = made < 0 ? -1 : push(c);
        if (out < 0 || (out == 1 && c->closing)) { drop(c); return; }
        if (out == 0) { watch(c, EPOLLOUT); return; }
    }
    if (events & EPOLLOUT) watch(c, EPOLLIN);
}

static void welcome(struct port *port)
{
    int one = 1, fd;
    while ((fd = accept4(port->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof *c);
        if (!c) die("calloc");
        c->fd = fd;
        c->port = port;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
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

int main(int argc, char **argv)
{
    static struct port ports[PORTS];
    struct epoll_event events[EVENTS];
    if (argc < 3 || argc - 2 > PORTS) { fprintf(stderr, "upstream ADDRESS PORT:BYTES [PORT:BYTES ...]\n"); return 1; }
    signal(SIGPIPE, SIG_IGN);
    loop = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 2; i < argc; i++) {
        struct port *port = &ports[i - 2];
        char *colon = strchr(argv[i], ':');
        if (!colon) { fprintf(stderr, "not PORT:BYTES: %s\n", argv[i]); return 1; }
        port->size = strtoul(colon + 1, NULL, 10);
        port->body = body_of(port->size);
        port->fd = listen_on(argv[1], atoi(argv[i]));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = port};
        epoll_ctl(loop, EPOLL_CTL_ADD, port->fd, &event);
    }
    for (;;) {
        int n = ready(events, EVENTS);
        for (int i = 0; i < n; i++) {
            struct port *port = events[i].data.ptr;
            if (port >= ports && port < ports + PORTS) welcome(port);
            else serve(events[i].data.ptr, events[i].events);
        }
    }
}
