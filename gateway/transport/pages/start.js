// Starts Swagger UI on this server's own document. A file, because the page's policy runs no inline script.
"use strict";

SwaggerUIBundle({
  dom_id: "#docs",
  url: "openapi.json",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  // A token is forgotten with the page.
  persistAuthorization: false,
  // Otherwise a badge sends the document's address to a public service.
  validatorUrl: null,
});
