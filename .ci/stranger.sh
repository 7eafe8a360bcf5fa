# Sourced by .ci/run. A stranger: an unprivileged user with an own home and an empty npm cache; a fresh clone of HEAD in an empty folder (with a space
# in its name) and nothing beside it; as many open files as a user has by default; and an environment of PATH and HOME only, where PATH holds
# node, npm, npx, sh and the coreutils.
stranger_user=medzen-stranger-$$
stranger_root=$(mktemp -d "${TMPDIR:-/tmp}/medzen-stranger.XXXXXX") # here, as stages run in a shell of their own
stranger_clone="$stranger_root/empty folder/medzen"

make_stranger() {
  local folder dirty
  folder=$(dirname "$stranger_clone")
  chmod 755 "$stranger_root" && mkdir "$stranger_root/home" "$stranger_root/bin" "$folder" || return 1
  PATH=$PATH:/usr/sbin:/sbin useradd --system --no-create-home --home-dir "$stranger_root/home" --shell /bin/sh "$stranger_user" || return 1
  dirty=$(git status --porcelain 2>/dev/null | wc -l)
  [ "$dirty" -eq 0 ] || echo "note: $dirty uncommitted files are not in the clone"
  # Never by hard links: to give them away would give the objects of this checkout away.
  git clone --quiet --no-hardlinks . "$stranger_clone" || return 1
  chown -R "$stranger_user" "$stranger_root/home" "$folder" && stranger_tools || return 1
  echo "$stranger_user, uid $(id -u "$stranger_user"), in $stranger_clone: node $(as_stranger node --version), npm $(as_stranger npm --version)"
  as_stranger sh -c 'set -e; [ "$(id -u)" -ne 0 ]; [ "$(ls -A ..)" = medzen ]; [ ! -e node_modules ]; [ ! -e "$HOME/.npm/_cacache" ]'
}

# Links node and npm into the stranger's PATH; copies them where a home of root hides them.
stranger_tools() {
  local bin=$stranger_root/bin copies=$stranger_root/tools tool node npm
  node=$(readlink -f "$(command -v node)") npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  if ! unprivileged "$node" "$npm/bin/npm-cli.js" --version >/dev/null 2>&1; then
    echo "note: $node or $npm is closed to ordinary users and was copied"
    mkdir "$copies" && cp "$node" "$copies/node" && cp -RL "$npm" "$copies/npm" && chmod -R a+rX "$copies" || return 1
    chmod a+x "$copies/node" && node=$copies/node npm=$copies/npm || return 1
  fi
  ln -s "$node" "$bin/node" && ln -s "$npm/bin/npm-cli.js" "$bin/npm" && ln -s "$npm/bin/npx-cli.js" "$bin/npx" || return 1
  for tool in sh $(coreutils); do
    tool=$(command -v "$tool") && ln -sf "$tool" "$bin/" || return 1
  done
}

coreutils() { dpkg -L coreutils | grep -E '^(/usr)?/bin/[^[]+$' | xargs -n 1 basename; }

unprivileged() { setpriv --reuid="$stranger_user" --regid="$(id -g "$stranger_user")" --clear-groups "$@"; }

# Runs a command in the clone. Of this environment only the way to the registry goes along, where this machine needs one.
as_stranger() {
  local name keep=()
  for name in NODE_EXTRA_CA_CERTS npm_config_registry HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || keep+=("$name=${!name}")
  done
  (ulimit -Sn 1024 && cd "$stranger_clone" && unprivileged env -i PATH="$stranger_root/bin" HOME="$stranger_root/home" "${keep[@]}" "$@")
}

# Brings the results of its tests here, with the names that the files have here.
take_results() { # path, the same in both
  [ -f "$stranger_clone/$1" ] && mkdir -p "$(dirname "$1")" && sed "s|$stranger_clone/|$PWD/|g" "$stranger_clone/$1" >"$1"
}

remove_stranger() {
  rm -rf "$stranger_root"
  PATH=$PATH:/usr/sbin:/sbin userdel "$stranger_user" 2>/dev/null || true
}
