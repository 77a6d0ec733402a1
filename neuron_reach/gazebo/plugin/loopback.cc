// Copyright 2026 neuron_reach maintainers
// Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except
// in compliance with the License. You may obtain a copy of the License at
// http://www.apache.org/licenses/LICENSE-2.0
// Unless required by applicable law or agreed to in writing, software distributed under the
// License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either
// express or implied. See the License for the specific language governing permissions and
// limitations under the License.

// Preloaded into gzserver. Gazebo listens on every network interface, whatever GAZEBO_IP says;
// this makes a socket that would be bound to "any address" listen on this host only.

#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

extern "C" int bind(int socket, const sockaddr *address, socklen_t length)
{
  using Bind = int (*)(int, const sockaddr *, socklen_t);
  static const auto next = reinterpret_cast<Bind>(dlsym(RTLD_NEXT, "bind"));
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    auto local = *reinterpret_cast<const sockaddr_in *>(address);
    if (local.sin_addr.s_addr == htonl(INADDR_ANY)) {
      local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      return next(socket, reinterpret_cast<const sockaddr *>(&local), sizeof(local));
    }
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    auto local = *reinterpret_cast<const sockaddr_in6 *>(address);
    if (IN6_IS_ADDR_UNSPECIFIED(&local.sin6_addr)) {
      local.sin6_addr = in6addr_loopback;
      return next(socket, reinterpret_cast<const sockaddr *>(&local), sizeof(local));
    }
  }
  return next(socket, address, length);
}
