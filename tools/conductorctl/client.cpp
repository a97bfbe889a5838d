#include "tools/conductorctl/client.hpp"

#include <curl/curl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace conductor::ctl {
namespace {

struct CloseCurl {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct FreeList {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

std::size_t keep(char* data, std::size_t size, std::size_t count, void* out) {
    static_cast<std::string*>(out)->append(data, size * count);
    return size * count;
}

/// What a person can do about a socket that does not answer.
std::string advice(const std::string& socket, CURLcode code) {
    const std::string head = "cannot reach the daemon at " + socket + ": ";
    if (code == CURLE_OPERATION_TIMEDOUT) return head + "it did not answer in time";
    if (code != CURLE_COULDNT_CONNECT) return head + curl_easy_strerror(code);
    if (::access(socket.c_str(), R_OK | W_OK) == 0) return head + "nobody listens; is conductord running? (systemctl status conductord)";
    if (errno == EACCES) return head + "permission denied; use sudo, or add yourself to the group conductor";
    if (errno == ENOENT) return head + "there is no such socket; is conductord running? (systemctl status conductord)";
    return head + std::error_code{errno, std::generic_category()}.message();
}

}  // namespace

struct Client::Impl {
    std::string socket;
    std::unique_ptr<CURL, CloseCurl> curl{curl_easy_init()};
};

Client::Client(std::string socket) : impl_{std::make_unique<Impl>()} {
    impl_->socket = std::move(socket);
}
Client::~Client() = default;

Client::Reply Client::call(std::string_view method, const std::string& path, std::string_view body, std::string_view content_type,
                           std::chrono::seconds limit) {
    Reply reply;
    CURL* const curl = impl_->curl.get();
    if (!curl) {
        reply.problem = "libcurl could not be started";
        return reply;
    }
    curl_easy_reset(curl);
    std::unique_ptr<curl_slist, FreeList> headers{curl_slist_append(nullptr, ("Content-Type: " + std::string{content_type}).c_str())};
    const std::unique_ptr<curl_slist, FreeList> whole{curl_slist_append(headers.release(), "Expect:")};
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, impl_->socket.c_str());
    curl_easy_setopt(curl, CURLOPT_URL, ("http://localhost" + path).c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, std::string{method}.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, whole.get());
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(limit.count()));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply.body);
    if (!body.empty() || method == "POST" || method == "PUT") {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data() ? body.data() : "");
    }
    const CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        reply.problem = advice(impl_->socket, code);
        return reply;
    }
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
    return reply;
}

std::string percent_encode(std::string_view text) {
    static constexpr char hex[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        out += '%';
        out += hex[octet >> 4];
        out += hex[octet & 15];
    }
    return out;
}

}  // namespace conductor::ctl
