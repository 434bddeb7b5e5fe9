// Starts Swagger UI with this server's OpenAPI document. It is a file because the Content-Security-Policy blocks inline scripts.
"use strict";

SwaggerUIBundle({
  dom_id: "#docs",
  url: "openapi.json",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  // Do not store the token: it is gone when the page is closed.
  persistAuthorization: false,
  // Disable the validator badge, which sends the URL of the document to a public service.
  validatorUrl: null,
});
