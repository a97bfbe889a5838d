#include "sync/client/websocket.hpp"

#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "sync/plan/errors.hpp"

namespace conductor::sync {

namespace websocket = boost::beast::websocket;
using boost::system::error_code;

namespace {

/// An HttpConnection as Beast wants it. One read and one write at a time.
class Stream {
public:
    using executor_type = aio::Executor;
    explicit Stream(std::shared_ptr<HttpConnection> connection) : connection_{std::move(connection)} {}
    executor_type get_executor() { return connection_->descriptor().get_executor(); }
    void close() { connection_->close(); }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return start(Step<asio::mutable_buffer>{connection_, first_of<asio::mutable_buffer>(buffers)}, std::forward<Token>(token));
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return start(Step<asio::const_buffer>{connection_, first_of<asio::const_buffer>(buffers)}, std::forward<Token>(token));
    }

private:
    /// The first piece that is not empty: the rest is asked for again.
    template <class Buffer, class Buffers>
    static Buffer first_of(const Buffers& buffers) {
        for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at)
            if (const Buffer piece = *at; piece.size() > 0) return piece;
        return {};
    }
    static HttpConnection::Moved move(HttpConnection& c, asio::mutable_buffer to) { return c.receive(to.data(), to.size()); }
    static HttpConnection::Moved move(HttpConnection& c, asio::const_buffer from) { return c.send(from.data(), from.size()); }

    /// Tries, and waits for the descriptor when there is nothing to do: TLS may hold octets that the descriptor does not tell of.
    template <class Buffer>
    struct Step {
        std::shared_ptr<HttpConnection> connection;
        Buffer buffer;
        bool started = false;
        template <class Self>
        void operator()(Self& self, error_code ec = {}) {
            HttpConnection& c = *connection;
            if (!std::exchange(started, true)) {  // nothing completes within the call that starts it
                asio::post(c.descriptor().get_executor(), std::move(self));
                return;
            }
            HttpConnection::Moved moved{ec, 0};
            if (!ec && buffer.size() > 0) moved = move(c, buffer);
            if (moved.first == asio::error::would_block) {
                using Descriptor = HttpConnection::Descriptor;
                c.descriptor().async_wait(std::is_same_v<Buffer, asio::const_buffer> ? Descriptor::wait_write : Descriptor::wait_read,
                                          std::move(self));
                return;
            }
            self.complete(moved.first, moved.second);
        }
    };
    template <class Buffer, class Token>
    auto start(Step<Buffer> step, Token&& token) {
        return asio::async_compose<Token, void(error_code, std::size_t)>(std::move(step), token, get_executor());
    }

    std::shared_ptr<HttpConnection> connection_;
};

// How Beast ends the stream below it.
void beast_close_socket(Stream& stream) {
    stream.close();
}
[[maybe_unused]] void teardown(boost::beast::role_type, Stream& stream, error_code& ec) {
    stream.close();
    ec = {};
}
template <class Handler>
void async_teardown(boost::beast::role_type, Stream& stream, Handler&& handler) {
    stream.close();
    asio::post(stream.get_executor(), boost::beast::bind_front_handler(std::forward<Handler>(handler), error_code{}));
}

class Line final : public Websocket, public std::enable_shared_from_this<Line> {
public:
    Line(std::shared_ptr<HttpConnection> connection, std::function<void()> news, Limits limits)
        : news_{std::move(news)}, limits_{limits}, stream_{std::move(connection)} {
        stream_.read_message_max(limits.frame);
    }

    void shake_hands(const std::string& host, const std::string& target) {
        stream_.async_handshake(response_, host, target, [self = shared_from_this()](error_code ec) {
            if (ec == websocket::error::upgrade_declined) {
                self->end("refused: " + std::to_string(self->response_.result_int()) + " " + self->response_.body().substr(0, 200));
            } else if (ec) {
                self->end("handshake: " + ec.message());
            } else if (self->ended.empty()) {
                self->is_open_ = true;
                self->read();
                self->news_();
            }
        });
    }
    bool is_open() const { return is_open_; }

    void send(std::string text) override {
        if (!ended.empty()) return;
        if (unsent_.size() >= limits_.unsent) return end("nothing can be sent");
        unsent_.push_back(std::move(text));
        if (unsent_.size() == 1) write();
    }
    void close() override {
        news_ = [] {};  // whoever closes it knows
        end("closed");
    }
    void end(std::string why) {
        if (!ended.empty()) return;
        ended = std::move(why);
        stream_.next_layer().close();
        news_();
    }

private:
    void read() {
        stream_.async_read(buffer_, [self = shared_from_this()](error_code ec, std::size_t) {
            if (ec) return self->end(ec.message());
            if (!self->ended.empty()) return;
            const auto octets = self->buffer_.data();
            if (self->frames.size() < self->limits_.unread)
                self->frames.push_back({self->stream_.got_binary(), std::string{static_cast<const char*>(octets.data()), octets.size()}});
            else
                ++self->dropped;
            self->buffer_.consume(octets.size());
            self->read();
            self->news_();
        });
    }
    void write() {
        stream_.text(true);
        stream_.async_write(asio::buffer(unsent_.front()), [self = shared_from_this()](error_code ec, std::size_t) {
            if (ec) return self->end(ec.message());
            self->unsent_.pop_front();
            if (!self->unsent_.empty() && self->ended.empty()) self->write();
        });
    }

    std::function<void()> news_;
    Limits limits_;
    bool is_open_ = false;
    websocket::response_type response_;
    boost::beast::flat_buffer buffer_;
    std::deque<std::string> unsent_;  ///< the first is on its way
    websocket::stream<Stream, false> stream_;
};

}  // namespace

aio::awaitable<Result<std::shared_ptr<Websocket>>> Websocket::open(HttpClient& http, aio::Executor ex, std::string url, std::string target,
                                                                   std::function<void()> news, Limits limits) {
    auto connection = co_await http.connect(url);
    if (!connection) co_return connection.error();
    // the coroutine waits for the handshake's end; after it `news` is called
    struct Opening {
        aio::Event event;
        std::function<void()> news;
        bool over = false;
    };
    const auto opening = std::make_shared<Opening>(Opening{aio::Event{ex}, std::move(news)});
    auto told = [opening] { opening->over ? opening->news() : opening->event.raise(); };
    const auto line = std::make_shared<Line>(std::move(*connection), std::move(told), limits);
    // whatever ends this coroutine before its end closes the connection
    struct Closing {
        std::shared_ptr<Line> line;
        ~Closing() {
            if (line) line->close();
        }
    };
    Closing closing{line};
    const std::string host = url.substr(url.find("://") + 3);
    line->shake_hands(host.substr(0, host.find('/')), target);
    const Instant until = BootClock::now() + limits.handshake;
    while (!line->is_open() && line->ended.empty()) {
        co_await opening->event.wait_until(until);
        if (!line->is_open() && BootClock::now() >= until) line->end("no answer to the handshake");
    }
    if (!line->is_open()) co_return fail(SyncErrc::transport, line->ended);
    opening->over = true;
    closing.line.reset();
    co_return line;
}

}  // namespace conductor::sync
