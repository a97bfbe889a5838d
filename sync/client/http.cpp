#include "sync/client/http.hpp"

#include <curl/curl.h>
#include <dlfcn.h>

#include <stdexcept>
#include <type_traits>
#include <unordered_map>

#include "sync/plan/errors.hpp"

namespace conductor::sync {

namespace asio = boost::asio;

namespace {

/// libcurl, loaded by the first call of the process and kept: it and the thirty libraries behind it are half the memory of a box that has
/// no [supabase] and never calls it, and SSL libraries do not like to be initialised twice.
class Curl {
public:
    Curl() {
        library_ = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
        if (!library_) return;
        bool all = true;
        const auto find = [&](auto& function, const char* name) {
            function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library_, name));
            all = all && function;
        };
        find(global_init, "curl_global_init");
        find(easy_init, "curl_easy_init");
        find(easy_cleanup, "curl_easy_cleanup");
        find(easy_setopt, "curl_easy_setopt");
        find(easy_getinfo, "curl_easy_getinfo");
        find(easy_strerror, "curl_easy_strerror");
        find(easy_send, "curl_easy_send");
        find(easy_recv, "curl_easy_recv");
        find(multi_init, "curl_multi_init");
        find(multi_cleanup, "curl_multi_cleanup");
        find(multi_setopt, "curl_multi_setopt");
        find(multi_add_handle, "curl_multi_add_handle");
        find(multi_remove_handle, "curl_multi_remove_handle");
        find(multi_socket_action, "curl_multi_socket_action");
        find(multi_info_read, "curl_multi_info_read");
        find(slist_append, "curl_slist_append");
        find(slist_free_all, "curl_slist_free_all");
        ready_ = all && global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    }
    explicit operator bool() const { return ready_; }

    decltype(&curl_global_init) global_init = nullptr;
    decltype(&curl_easy_init) easy_init = nullptr;
    decltype(&curl_easy_cleanup) easy_cleanup = nullptr;
    decltype(&curl_easy_setopt) easy_setopt = nullptr;
    decltype(&curl_easy_getinfo) easy_getinfo = nullptr;
    decltype(&curl_easy_strerror) easy_strerror = nullptr;
    decltype(&curl_easy_send) easy_send = nullptr;
    decltype(&curl_easy_recv) easy_recv = nullptr;
    decltype(&curl_multi_init) multi_init = nullptr;
    decltype(&curl_multi_cleanup) multi_cleanup = nullptr;
    decltype(&curl_multi_setopt) multi_setopt = nullptr;
    decltype(&curl_multi_add_handle) multi_add_handle = nullptr;
    decltype(&curl_multi_remove_handle) multi_remove_handle = nullptr;
    decltype(&curl_multi_socket_action) multi_socket_action = nullptr;
    decltype(&curl_multi_info_read) multi_info_read = nullptr;
    decltype(&curl_slist_append) slist_append = nullptr;
    decltype(&curl_slist_free_all) slist_free_all = nullptr;

private:
    void* library_ = nullptr;
    bool ready_ = false;
};

const Curl& curl() {
    static const Curl one;
    return one;
}

struct Closer {
    void operator()(CURL* easy) const noexcept { curl().easy_cleanup(easy); }
    void operator()(curl_slist* list) const noexcept { curl().slist_free_all(list); }
};
struct MultiCloser {  // CURL and CURLM are both void
    void operator()(CURLM* multi) const noexcept { curl().multi_cleanup(multi); }
};
using Easy = std::unique_ptr<CURL, Closer>;
using Headers = std::unique_ptr<curl_slist, Closer>;
using MultiHandle = std::unique_ptr<CURLM, MultiCloser>;

struct Transfer {
    Transfer(const aio::Executor& ex, std::size_t limit) : done_event{ex}, body_limit{limit} {}
    aio::Event done_event;
    std::size_t body_limit;
    HttpClient::Response response;
    bool done = false;
    CURLcode result = CURLE_OK;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.response.body.size() + size * count > transfer.body_limit) return 0;  // CURLE_WRITE_ERROR
    transfer.response.body.append(data, size * count);
    return size * count;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    static constexpr std::string_view name = "retry-after:";
    const std::string_view line{data, size * count};
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    bool same = line.size() >= name.size();
    for (std::size_t i = 0; same && i < name.size(); ++i) same = lower(line[i]) == name[i];
    if (same) static_cast<Transfer*>(user)->response.retry_after = parse_retry_after(line.substr(name.size()));
    return size * count;
}

}  // namespace

/// The multi handle, its timer and a Watch for each of its sockets. The sockets are libcurl's: a Watch waits on the descriptor and releases
/// it, and never closes it. libcurl's functions are never called from inside its callbacks.
class HttpClient::Multi {
public:
    Multi(aio::Executor strand, const HttpSettings& settings) : strand_{std::move(strand)}, timer_{strand_}, multi_{curl().multi_init()} {
        if (!multi_) throw std::runtime_error{"curl_multi_init"};
        set(CURLMOPT_SOCKETFUNCTION, &Multi::on_socket);
        set(CURLMOPT_SOCKETDATA, this);
        set(CURLMOPT_TIMERFUNCTION, &Multi::on_timer);
        set(CURLMOPT_TIMERDATA, this);
        set(CURLMOPT_MAXCONNECTS, 4L);  // as many as may be busy: fewer, and each end of a call closes one
        set(CURLMOPT_MAX_HOST_CONNECTIONS, 4L);
        set(CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
        keep_connection_ = static_cast<long>(settings.keep_connection.count());
    }
    ~Multi() {
        *alive_ = false;
        multi_.reset();  // closes connections, and with them the last watches
    }
    Multi(const Multi&) = delete;
    Multi& operator=(const Multi&) = delete;

    bool add(CURL* easy) { return curl().multi_add_handle(multi_.get(), easy) == CURLM_OK; }
    void remove(CURL* easy) { curl().multi_remove_handle(multi_.get(), easy); }
    long keep_connection() const { return keep_connection_; }

private:
    struct Watch {
        Watch(const aio::Executor& ex, curl_socket_t s) : descriptor{ex, s} {}
        ~Watch() { descriptor.release(); }
        asio::posix::basic_stream_descriptor<aio::Executor> descriptor;
        int wanted = CURL_POLL_NONE;
        bool reading = false, writing = false;
        bool dead = false;  ///< libcurl gave the socket up; a handler that still runs does nothing
    };

    template <class T>
    void set(CURLMoption option, T value) {
        if (curl().multi_setopt(multi_.get(), option, value) != CURLM_OK) throw std::runtime_error{"curl_multi_setopt"};
    }

    static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
        auto& multi = *static_cast<Multi*>(self);
        if (what == CURL_POLL_REMOVE) {
            const auto found = multi.watches_.find(socket);
            if (found != multi.watches_.end()) {
                found->second->dead = true;
                found->second->descriptor.release();  // cancels its waits
                multi.watches_.erase(found);
            }
            return 0;
        }
        if (!*multi.alive_) return 0;
        auto& watch = multi.watches_[socket];
        if (!watch) watch = std::make_shared<Watch>(multi.strand_, socket);
        watch->wanted = what;
        multi.arm(watch);
        return 0;
    }

    static int on_timer(CURLM*, long timeout_ms, void* self) {
        auto& multi = *static_cast<Multi*>(self);
        if (!*multi.alive_) return 0;
        if (timeout_ms < 0) {
            multi.timer_.cancel();
            return 0;
        }
        multi.timer_.expires_after(std::chrono::milliseconds{timeout_ms});
        multi.timer_.async_wait([&multi, alive = multi.alive_](boost::system::error_code ec) {
            if (!ec && *alive) multi.act(CURL_SOCKET_TIMEOUT, 0);
        });
        return 0;
    }

    void arm(const std::shared_ptr<Watch>& watch) {
        const bool read = watch->wanted == CURL_POLL_IN || watch->wanted == CURL_POLL_INOUT;
        const bool write = watch->wanted == CURL_POLL_OUT || watch->wanted == CURL_POLL_INOUT;
        if (read && !watch->reading) wait(watch, asio::posix::descriptor_base::wait_read, watch->reading, CURL_CSELECT_IN);
        if (write && !watch->writing) wait(watch, asio::posix::descriptor_base::wait_write, watch->writing, CURL_CSELECT_OUT);
    }

    void wait(const std::shared_ptr<Watch>& watch, asio::posix::descriptor_base::wait_type type, bool& pending, int ready) {
        pending = true;
        watch->descriptor.async_wait(type, [this, watch, &pending, ready, alive = alive_](boost::system::error_code ec) {
            pending = false;
            if (ec == asio::error::operation_aborted || watch->dead || !*alive) return;
            const bool wanted = watch->wanted == CURL_POLL_INOUT || watch->wanted == ready;  // CURL_POLL_IN == CURL_CSELECT_IN, OUT too
            if (!wanted) return;
            act(watch->descriptor.native_handle(), ec ? CURL_CSELECT_ERR : ready);
            if (*alive && !watch->dead) arm(watch);
        });
    }

    void act(curl_socket_t socket, int ready) {
        int running = 0;
        curl().multi_socket_action(multi_.get(), socket, ready, &running);
        int left = 0;
        while (const CURLMsg* message = curl().multi_info_read(multi_.get(), &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            char* user = nullptr;
            curl().easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
            auto& transfer = *reinterpret_cast<Transfer*>(user);
            transfer.result = message->data.result;
            transfer.done = true;
            transfer.done_event.raise();  // resumes later, not from here
        }
    }

    static_assert(CURL_POLL_IN == CURL_CSELECT_IN && CURL_POLL_OUT == CURL_CSELECT_OUT);
    aio::Executor strand_;
    aio::Timer timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
    MultiHandle multi_;
    long keep_connection_ = 60;
};

namespace {

constexpr std::chrono::seconds overdue{2};  // libcurl keeps the time; who waits for it keeps it too, and is deaf to none of its faults

/// Sets the options of one easy handle; the first that is refused is remembered.
struct Options {
    CURL* easy;
    CURLcode bad = CURLE_OK;
    template <class T>
    void operator()(CURLoption option, T value) {
        if (const CURLcode rc = curl().easy_setopt(easy, option, value); rc != CURLE_OK && bad == CURLE_OK) bad = rc;
    }
};

/// What calls and connections have in common.
void set_common(Options& set, const std::string& url, const HttpSettings& settings, Transfer& transfer) {
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PRIVATE, &transfer);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings.connect_timeout.count()));
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_USERAGENT, "conductor/" CONDUCTOR_VERSION);
    if (!settings.ca_file.empty()) set(CURLOPT_CAINFO, settings.ca_file.c_str());
}

}  // namespace

/// The easy handle stays in its multi: libcurl closes the connection when it leaves.
class HttpClient::Connection final : public HttpConnection {
public:
    Connection(const aio::Executor& ex, std::shared_ptr<Multi> multi)
        : descriptor_{ex}, multi_{std::move(multi)}, easy_{curl().easy_init()} {}
    ~Connection() override { Connection::close(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    CURL* easy() const { return easy_.get(); }
    bool add() { return added_ = multi_->add(easy_.get()); }
    /// libcurl is connected. The socket stays its own: it is released, never closed here.
    bool adopt() {
        curl_socket_t socket = CURL_SOCKET_BAD;
        if (curl().easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD) return false;
        boost::system::error_code ec;
        descriptor_.assign(socket, ec);
        return !ec;
    }

    Moved receive(void* to, std::size_t most) override {
        if (!easy_) return {asio::error::operation_aborted, 0};
        std::size_t got = 0;
        const CURLcode rc = curl().easy_recv(easy_.get(), to, most, &got);
        if (rc == CURLE_OK && got == 0) return {asio::error::eof, 0};
        return {moved(rc), got};
    }
    Moved send(const void* from, std::size_t octets) override {
        if (!easy_) return {asio::error::operation_aborted, 0};
        std::size_t sent = 0;
        const CURLcode rc = curl().easy_send(easy_.get(), from, octets, &sent);
        if (rc == CURLE_OK && sent == 0) return {asio::error::would_block, 0};
        return {moved(rc), sent};
    }
    void close() override {
        if (!easy_) return;
        if (descriptor_.is_open()) descriptor_.release();  // cancels its waits
        if (added_) multi_->remove(easy_.get());
        easy_.reset();
    }
    Descriptor& descriptor() override { return descriptor_; }

private:
    static boost::system::error_code moved(CURLcode rc) {
        if (rc == CURLE_OK) return {};
        return rc == CURLE_AGAIN ? asio::error::would_block : asio::error::connection_reset;
    }
    Descriptor descriptor_;
    std::shared_ptr<Multi> multi_;
    Easy easy_;
    bool added_ = false;
};

HttpClient::HttpClient(aio::Executor strand, HttpSettings settings) : strand_{std::move(strand)}, settings_{std::move(settings)} {}
HttpClient::~HttpClient() = default;

aio::awaitable<Result<std::shared_ptr<HttpConnection>>> HttpClient::connect(std::string url) {
    if (!curl()) co_return fail(SyncErrc::transport, "libcurl.so.4 cannot be used");
    if (!multi_) multi_ = std::make_shared<Multi>(strand_, settings_);
    Transfer transfer{strand_, settings_.body_limit};
    const auto connection = std::make_shared<Connection>(strand_, multi_);
    if (!connection->easy()) co_return fail(SyncErrc::transport, "curl_easy_init");
    Options set{connection->easy()};
    set_common(set, url, settings_, transfer);
    set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_HTTPPROXYTUNNEL, 1L);                                     // a proxy passes the octets on
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));  // what TLS agrees on is the protocol spoken next
    if (set.bad != CURLE_OK) co_return fail(SyncErrc::transport, curl().easy_strerror(set.bad));
    if (!connection->add()) co_return fail(SyncErrc::transport, "curl_multi_add_handle");
    const Instant latest = BootClock::now() + settings_.connect_timeout + overdue;
    co_await transfer.done_event.wait_until(latest);
    if (!transfer.done) co_return fail(SyncErrc::transport, BootClock::now() >= latest ? "libcurl does not end it" : "cancelled");
    if (transfer.result != CURLE_OK) co_return fail(SyncErrc::transport, curl().easy_strerror(transfer.result));
    if (!connection->adopt()) co_return fail(SyncErrc::transport, "no socket");
    co_return connection;
}

/// What is under way on its connections ends there.
void HttpClient::leave(const std::shared_ptr<Multi>& silent) {
    if (multi_ == silent) multi_.reset();
}

aio::awaitable<Result<HttpClient::Response>> HttpClient::perform(Request request) {
    if (!curl()) co_return fail(SyncErrc::transport, "libcurl.so.4 cannot be used");
    if (!multi_) multi_ = std::make_shared<Multi>(strand_, settings_);
    const auto multi = multi_;
    Transfer transfer{strand_, settings_.body_limit};
    const Easy easy{curl().easy_init()};
    if (!easy) co_return fail(SyncErrc::transport, "curl_easy_init");
    curl_slist* list = nullptr;
    for (const std::string& header : request.headers) list = curl().slist_append(list, header.c_str());
    const Headers headers{list};

    Options set{easy.get()};
    set_common(set, request.url, settings_, transfer);
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    if (!request.body.empty() || request.method == "POST") {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        set(CURLOPT_POSTFIELDS, request.body.c_str());
    }
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, &transfer);
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, &transfer);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
    set(CURLOPT_MAXAGE_CONN, multi->keep_connection());
    // No CURLOPT_PIPEWAIT: after a connection that failed while the request was sent, libcurl 7.88 lets the next call wait for ever.
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(CURLOPT_ACCEPT_ENCODING, "");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    if (set.bad != CURLE_OK) co_return fail(SyncErrc::transport, curl().easy_strerror(set.bad));

    // From here the handle is in the multi: it leaves it however this coroutine ends.
    struct Membership {
        Multi& multi;
        CURL* easy;
        ~Membership() { multi.remove(easy); }
    };
    if (!multi->add(easy.get())) co_return fail(SyncErrc::transport, "curl_multi_add_handle");
    const Membership membership{*multi, easy.get()};
    const Instant latest = BootClock::now() + request.timeout + overdue;
    co_await transfer.done_event.wait_until(latest);
    if (transfer.done ? transfer.result == CURLE_OPERATION_TIMEDOUT : BootClock::now() >= latest) leave(multi);
    if (!transfer.done) co_return fail(SyncErrc::transport, BootClock::now() >= latest ? "libcurl does not end it" : "cancelled");
    if (transfer.result != CURLE_OK) co_return fail(SyncErrc::transport, curl().easy_strerror(transfer.result));
    curl().easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &transfer.response.status);
    co_return std::move(transfer.response);
}

}  // namespace conductor::sync
