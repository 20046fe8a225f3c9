// Swagger UI takes every media type with "json" in its name for JSON and would quote lines of events as one string.
const lines = () => ({
  afterLoad(system) {
    const sample = system.fn.getSampleSchema;
    system.fn.getSampleSchema = (schema, mediaType, config, example) =>
      mediaType === "application/x-ndjson" && typeof example === "string"
        ? example
        : sample(schema, mediaType, config, example);
  },
});

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: false, // an API key is not left behind in the browser
  queryConfigEnabled: false, // a link must not show another document on this page
  validatorUrl: null, // nobody else is asked
  plugins: [lines],
});
