# The product's image: one image, one process per container; the command names the process.
FROM node:26.10.0-bookworm-slim AS dependencies
WORKDIR /opt/switchback
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:26.10.0-bookworm-slim
WORKDIR /opt/switchback
ENV NODE_ENV=production
COPY --from=dependencies /opt/switchback/node_modules node_modules
COPY package.json package-lock.json tsconfig.json ./
COPY activities activities
COPY api api
COPY cli cli
COPY config config
COPY dataplane dataplane
COPY domain domain
COPY providers providers
COPY scripts/compose scripts/compose
COPY server server
COPY workers workers
COPY workflows workflows
# The workflow bundle is built here: the processes may not write to the image.
RUN node -e "import('/opt/switchback/workers/bundle.ts').then((bundle) => bundle.workflowBundle())"
RUN mkdir -p /var/lib/switchback && chown node:node /var/lib/switchback
USER node
VOLUME /var/lib/switchback
ENTRYPOINT ["node"]
CMD ["workers/configuration-server.ts", "--config", "/etc/switchback/switchback.yaml"]
