#include "daemon/api/request_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>

namespace conductor::api {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

class RequestParser::Impl final : public http::basic_parser<true> {
public:
    Head head;
    std::function<void(std::string_view)> sink;
    std::optional<Refusal> problem;

    void take_head() {
        head.keep_alive = keep_alive();
        if (const auto length = content_length()) head.content_length = *length;
        head.has_body = chunked() || head.content_length.value_or(0) > 0;
    }

private:
    void on_request_impl(http::verb, beast::string_view method, beast::string_view target, int version, error_code& ec) override {
        head.method = method;
        head.target = target;
        head.http_1_1 = version >= 11;
        if (version != 10 && version != 11) ec = http::error::bad_version;
    }
    void on_field_impl(http::field name, beast::string_view, beast::string_view value, error_code& ec) override {
        std::string* keep = nullptr;
        if (name == http::field::content_type) keep = &head.content_type;
        if (name == http::field::authorization) keep = &head.authorization;
        if (name == http::field::host) keep = &head.host;
        if (name == http::field::origin) keep = &head.origin;
        if (name == http::field::expect) head.expects_continue = beast::iequals(value, "100-continue");
        if (!keep) return;
        if (!keep->empty()) ec = http::error::bad_field;  // two of one of these is how requests are smuggled
        *keep = value;
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(beast::string_view body, error_code&) override {
        if (sink) sink({body.data(), body.size()});
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code& ec) override { return on_body_impl(body, ec); }
    void on_finish_impl(error_code&) override {}
    void on_response_impl(int, beast::string_view, int, error_code&) override {}
};

namespace {

Refusal refusal_of(const error_code& ec) {
    if (ec == http::error::header_limit) return Refusal{431, "head-too-large", "the head of the request is too large"};
    if (ec == http::error::body_limit) return Refusal{413, "body-too-large", "the body is too large"};
    return Refusal{400, "bad-request", "not HTTP: " + ec.message()};
}

}  // namespace

RequestParser::RequestParser(std::uint32_t head_limit, std::uint64_t body_limit) : impl_{std::make_unique<Impl>()} {
    impl_->header_limit(head_limit);
    impl_->body_limit(body_limit);
}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

std::size_t RequestParser::put(std::string_view octets) {
    std::size_t used = 0;
    while (!impl_->problem && !impl_->is_done() && used < octets.size()) {
        const bool had_head = impl_->is_header_done();
        error_code ec;
        const std::size_t n = impl_->put(boost::asio::const_buffer{octets.data() + used, octets.size() - used}, ec);
        used += n;
        if (ec && ec != http::error::need_more) impl_->problem = refusal_of(ec);
        if (!had_head && impl_->is_header_done()) {
            impl_->take_head();
            return used;  // the caller decides about the body before it is read
        }
        if (n == 0 || ec == http::error::need_more) break;
    }
    return used;
}

const Head* RequestParser::head() const {
    return impl_->is_header_done() ? &impl_->head : nullptr;
}

void RequestParser::body_to(std::function<void(std::string_view)> sink) {
    impl_->sink = std::move(sink);
}

bool RequestParser::done() const {
    return impl_->is_done();
}

const std::optional<Refusal>& RequestParser::problem() const {
    return impl_->problem;
}

}  // namespace conductor::api
